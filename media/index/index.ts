import type { Seal } from '../../src/base/seal.js';
import { Cameras } from './cameras.js';
import { ClockSteps } from './clock-steps.js';
import { type Database, openDatabase } from './database.js';
import { Deletions } from './deletions.js';
import { Events } from './events.js';
import { Gaps } from './gaps.js';
import { HoldRows } from './holds.js';
import { Rebuilding } from './rebuilding.js';
import { Segments } from './segments.js';
import { Settings } from './settings.js';

/**
 * What the recorder knows about its files, and what only it knows: cameras, gaps, events, deletions.
 * Times are epoch ms as numbers; bigint ends at this door. The only room of `media/` that names Prisma.
 */
export class RecorderIndex {
  readonly settings: Settings;
  readonly cameras: Cameras;
  readonly segments: Segments;
  readonly gaps: Gaps;
  readonly clockSteps: ClockSteps;
  readonly events: Events;
  readonly deletions: Deletions;
  readonly holds: HoldRows;
  readonly rebuilding: Rebuilding;

  private constructor(
    private readonly database: Database,
    seal: Seal,
  ) {
    this.settings = new Settings(database);
    this.cameras = new Cameras(database, seal);
    this.segments = new Segments(database);
    this.gaps = new Gaps(database);
    this.clockSteps = new ClockSteps(database);
    this.events = new Events(database);
    this.deletions = new Deletions(database);
    this.holds = new HoldRows(database);
    this.rebuilding = new Rebuilding(database);
  }

  /** Opens the migrated SQLite file; camera addresses are sealed with `seal`. */
  static async open(file: string, seal: Seal): Promise<RecorderIndex> {
    return new RecorderIndex(await openDatabase(file), seal);
  }

  close(): Promise<void> {
    return this.database.$disconnect();
  }

  /** What the connection really does: 1 = NORMAL. */
  async synchronous(): Promise<number> {
    const rows =
      await this.database.$queryRawUnsafe<{ synchronous: number | bigint }[]>('PRAGMA synchronous');
    return Number(rows[0]?.synchronous);
  }
}
