import type { Seal } from '../../src/base/seal.js';
import type { CameraIdentity, RemovedCamera } from '../types.js';
import type { Database } from './database.js';
import type { Prisma } from './generated/client.js';
import type { CameraRow, SealedCamera } from './rows.js';

const UNKNOWN_DEVICE = {
  ...{ serial: null, mac: null, make: null, model: null, endpoint: null, onvifPort: null },
} satisfies CameraIdentity;

/** Every camera that ever was; addresses are sealed in the rows and opened at this door. */
export class Cameras {
  constructor(
    private readonly database: Database,
    private readonly seal: Seal,
  ) {}

  private cameraOf(row: Prisma.CameraGetPayload<object>): CameraRow {
    const { urlSealed, subUrlSealed, serial, mac, make, model, endpoint, onvifPort, ...rest } = row;
    const identity = { serial, mac, make, model, endpoint, onvifPort };
    return {
      ...rest,
      identity: Object.values(identity).every((part) => part === null) ? null : identity,
      url: this.seal.open(urlSealed),
      subUrl: subUrlSealed === null ? null : this.seal.open(subUrlSealed),
      transport: row.transport === 'udp' ? 'udp' : 'tcp',
      createdMs: Number(row.createdMs),
      removedMs: row.removedMs === null ? null : Number(row.removedMs),
    };
  }

  /** Cameras that are not removed, in the order they were added. */
  async list(): Promise<CameraRow[]> {
    const rows = await this.database.camera.findMany({
      where: { removedMs: null },
      orderBy: [{ createdMs: 'asc' }, { id: 'asc' }],
    });
    return rows.map((row) => this.cameraOf(row));
  }

  /** Cameras that were removed, latest last. Needs no key. */
  async removed(): Promise<RemovedCamera[]> {
    const rows = await this.database.camera.findMany({
      where: { removedMs: { not: null } },
      select: { id: true, name: true, removedMs: true },
      orderBy: { removedMs: 'asc' },
    });
    return rows.map(({ removedMs, ...rest }) => ({ ...rest, removedMs: Number(removedMs) }));
  }

  /** Days to keep of every camera that ever was; null = default. Needs no key. */
  async retentionDays(): Promise<Map<string, number | null>> {
    const rows = await this.database.camera.findMany({ select: { id: true, retentionDays: true } });
    return new Map(rows.map((row) => [row.id, row.retentionDays]));
  }

  /** Any camera that ever had this id. */
  async find(id: string): Promise<CameraRow | null> {
    const row = await this.database.camera.findUnique({ where: { id } });
    return row === null ? null : this.cameraOf(row);
  }

  private sealed({ url, subUrl, createdMs, removedMs, identity, ...rest }: CameraRow) {
    return {
      ...rest,
      ...(identity ?? UNKNOWN_DEVICE),
      urlSealed: this.seal.seal(url),
      subUrlSealed: subUrl === null ? null : this.seal.seal(subUrl),
      createdMs: BigInt(createdMs),
      removedMs: removedMs === null ? null : BigInt(removedMs),
    };
  }

  async add(row: CameraRow): Promise<void> {
    await this.database.camera.createMany({ data: [this.sealed(row)] });
  }

  async change(row: CameraRow): Promise<void> {
    const { id, ...data } = this.sealed(row);
    await this.database.camera.updateMany({ where: { id }, data });
  }

  /** Every camera that ever was, as it is kept: addresses stay sealed. */
  async sealedList(): Promise<SealedCamera[]> {
    const rows = await this.database.camera.findMany({ orderBy: [{ createdMs: 'asc' }, { id: 'asc' }] });
    return rows.map((row) => ({
      ...row,
      createdMs: Number(row.createdMs),
      removedMs: row.removedMs === null ? null : Number(row.removedMs),
    }));
  }

  /**
   * Takes cameras back as `sealedList` gave them, new ones and ones that are there in another state, all or none. Throws
   * when one is not like that.
   */
  async restore(lost: SealedCamera[], changed: SealedCamera[]): Promise<void> {
    const rowOf = ({ createdMs, removedMs, ...rest }: SealedCamera) => ({
      ...(rest as Omit<Prisma.CameraCreateManyInput, 'createdMs' | 'removedMs'>),
      createdMs: BigInt(createdMs),
      removedMs: removedMs === null ? null : BigInt(removedMs),
    });
    await this.database.$transaction([
      this.database.camera.createMany({ data: lost.map(rowOf) }),
      ...changed.map((camera) =>
        this.database.camera.updateMany({ where: { id: camera.id }, data: rowOf(camera) }),
      ),
    ]);
  }
}
