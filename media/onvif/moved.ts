import { WorldError } from '../../src/base/errors.js';
import type { Log } from '../../src/base/log.js';
import { hostsOf, inSubnets, type Subnet } from '../../src/base/subnets.js';
import type { CameraRow } from '../index/rows.js';
import type { Recorder } from '../recording/recorder.js';
import { atHost, parseAddress, partsOf } from '../source/address.js';
import type { LoginGuard } from '../source/login-guard.js';
import type { CameraIdentity } from '../types.js';
import { describeDevice } from './describe.js';
import { type DiscoveryOptions, discover } from './discovery.js';
import { askEndpoint, opens } from './endpoint.js';
import { isRecognizable, isSameDevice, neighbours, ownMac } from './identity.js';
import { sweep } from './sweep.js';

export interface MovedOptions {
  recorder: Pick<Recorder, 'lost' | 'recording' | 'change' | 'move'>;
  /** a login that a device refused here is not shown to it again and again either */
  guard: Pick<LoginGuard, 'enter'>;
  /** the own nets, as they are at this moment */
  subnets: () => readonly Subnet[];
  log: Log;
  discovery?: Pick<DiscoveryOptions, 'targets' | 'waitMs'>;
  /** default: a TCP connection */
  opens?: typeof opens;
  /** a camera gone for longer is looked for, ms; default 20 s */
  lostMs?: number;
  /** how often it is seen who is lost, ms; default 5 s */
  everyMs?: number;
  /** ms to the next look for the same camera; default `lookWait` */
  lookWait?: (looks: number) => number;
}

const LOST_MS = 20_000;
const EVERY_MS = 5000;
const LEARN_EVERY_MS = 60_000;
const RTSP_PORTS = 3;

/** How long to wait before look number `looks` + 1, ms: a device that restarts is back within minutes. */
export const lookWait = (looks: number): number =>
  looks <= 8 ? 30_000 : Math.min(15 * 60_000, 30_000 * 2 ** (looks - 8));

/** A lost camera with what it is looked for by. */
interface Sought {
  row: CameraRow;
  identity: CameraIdentity;
  from: string;
  port: number;
  found: boolean;
}

/** A device that was seen without a password. */
interface Seen {
  host: string;
  onvifPort: number | null;
  mac: string | null;
  endpoint: string | null;
}

/**
 * Finds cameras that came back under another address, and goes on recording them there under their id.
 *
 * The rule for passwords: a device gets to see a login (as a digest) only when what it tells everybody fits the camera
 * that is missed: its MAC by the machine's own neighbour table or by its announcement, or its endpoint's UUID. An
 * endpoint alone opens that door but does not decide: the serial number told for the login must be the one kept. No
 * address outside the own nets is ever tried, and nothing is tried for a camera whose own address is outside (NAT,
 * DDNS) or whose identity is not known.
 */
export class MovedCameras {
  private timer: NodeJS.Timeout | undefined;
  private readonly stopping = new AbortController();
  private round: Promise<void> | null = null;
  private readonly looks = new Map<string, { count: number; nextMs: number }>();
  private readonly asked = new Set<string>();
  private learnMs = 0;

  constructor(private readonly options: MovedOptions) {}

  start(): void {
    this.timer = setInterval(() => {
      this.round ??= this.look()
        .catch((error) => this.options.log.error({ err: error }, 'looking for moved cameras failed'))
        .finally(() => {
          this.round = null;
        });
    }, this.options.everyMs ?? EVERY_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.round;
  }

  private async look(): Promise<void> {
    const { recorder, lostMs = LOST_MS } = this.options;
    const nowMs = performance.now();
    if (nowMs >= this.learnMs) {
      this.learnMs = nowMs + LEARN_EVERY_MS;
      await this.learn();
    }
    const lost = recorder.lost(lostMs);
    const ids = new Set(lost.map(({ id }) => id));
    for (const id of this.looks.keys()) if (!ids.has(id)) this.looks.delete(id);
    const due = lost.filter(({ id }) => nowMs >= (this.looks.get(id)?.nextMs ?? 0));
    const subnets = this.options.subnets();
    const sought = due.flatMap((row) => soughtOf(row, subnets));
    if (sought.length === 0) return;
    const there = await Promise.all(sought.map((one) => this.isStillThere(one)));
    const gone = sought.filter((_one, i) => !there[i]);
    if (gone.length > 0) await this.search(gone, subnets);
    for (const { row } of sought) {
      const count = (this.looks.get(row.id)?.count ?? 0) + 1;
      this.looks.set(row.id, {
        count,
        nextMs: performance.now() + (this.options.lookWait ?? lookWait)(count),
      });
    }
  }

  /** Who announces itself, then every address of the own nets, until all are found. */
  private async search(sought: Sought[], subnets: readonly Subnet[]): Promise<void> {
    const { discovery = {}, log } = this.options;
    const { signal } = this.stopping;
    log.info({ cameras: sought.map(({ row }) => row.id) }, 'looking for lost cameras');
    const announced = await discover({ subnets, ...discovery }, signal);
    const macs = await neighbours();
    for (const { host, port, mac, endpoint } of announced)
      await this.offer(sought, { host, onvifPort: port, mac: macs.get(host) ?? mac, endpoint });
    const missing = () => sought.filter(({ found }) => !found);
    if (missing().length === 0) return;
    const ports = [...new Set(missing().map(({ port }) => port))].slice(0, RTSP_PORTS);
    const enough = new AbortController();
    const hosts = hostsOf(subnets, missing()[0]!.from);
    await sweep(
      hosts,
      async (host) => {
        await this.visit(host, ports, missing());
        if (missing().length === 0) enough.abort();
      },
      AbortSignal.any([signal, enough.signal]),
    );
  }

  private async visit(host: string, ports: number[], missing: Sought[]): Promise<void> {
    for (const port of ports) {
      if (!(await (this.options.opens ?? opens)(host, port))) continue;
      for (const onvifPort of new Set(missing.map(({ identity }) => identity.onvifPort)))
        await this.offer(missing, await lookAt(host, onvifPort));
      return;
    }
  }

  /** The device itself still answers at its address: then it has not moved, whatever it says to the login. */
  private async isStillThere({ from, port, identity }: Sought): Promise<boolean> {
    if (!(await (this.options.opens ?? opens)(from, port))) return false;
    return isSameDevice(identity, await lookAt(from, identity.onvifPort));
  }

  private async offer(sought: Sought[], seen: Seen): Promise<void> {
    for (const one of sought) {
      if (one.found || seen.host === one.from || this.stopping.signal.aborted) continue;
      if (!isSameDevice(one.identity, seen) || !(await this.confirmed(one, seen))) continue;
      one.found = await this.options.recorder.move(one.row.id, one.from, seen.host);
      if (one.found) this.options.log.info({ camera: one.row.id, to: seen.host }, 'a camera has moved');
    }
  }

  /** Only here a login goes out, and only to a device that fits already. */
  private async confirmed({ row, identity }: Sought, seen: Seen): Promise<boolean> {
    const byMac = identity.mac !== null && identity.mac === seen.mac;
    const port = seen.onvifPort ?? identity.onvifPort;
    if (identity.serial === null || port === null) return byMac;
    const { user, password } = partsOf(row.url)!;
    const { signal } = this.stopping;
    const pass = await this.options.guard.enter(atHost(parseAddress(row.url), seen.host), signal);
    if (pass === null) return false;
    const said = await describeDevice({ host: seen.host, port, user, password }, { signal });
    pass.ended(said.ok || said.cause !== 'refused' ? null : 'refused');
    if (said.ok) return said.identity.serial === identity.serial;
    return byMac && said.cause !== 'refused';
  }

  /** Keeps what recording cameras of the own nets tell without a password: MAC by the neighbour table, endpoint once. */
  private async learn(): Promise<void> {
    const { recorder } = this.options;
    const subnets = this.options.subnets();
    let macs: Map<string, string> | null = null;
    for (const { id, url, identity } of recorder.recording()) {
      const host = partsOf(url)?.host;
      if (host === undefined || !inSubnets(subnets, host) || this.stopping.signal.aborted) continue;
      macs ??= await neighbours();
      const known = identity ?? NOTHING;
      const mac = known.mac ?? ownMac(macs, host);
      let { endpoint, onvifPort } = known;
      if (endpoint === null && !this.asked.has(`${id} ${host}`)) {
        this.asked.add(`${id} ${host}`);
        endpoint = await askEndpoint(host, onvifPort ?? 80);
        if (endpoint !== null) onvifPort ??= 80;
      }
      if (mac === known.mac && endpoint === known.endpoint) continue;
      await recorder.change(id, { identity: { ...known, mac, endpoint, onvifPort } }).catch((error) => {
        if (!(error instanceof WorldError)) throw error;
      });
    }
  }
}

/** What a device that was just spoken to tells everybody; its MAC is known when it is on the same wire. */
async function lookAt(host: string, onvifPort: number | null): Promise<Seen> {
  const mac = (await neighbours()).get(host) ?? null;
  const endpoint = onvifPort === null ? null : await askEndpoint(host, onvifPort);
  return { host, onvifPort, mac, endpoint };
}

const NOTHING: CameraIdentity = {
  ...{ serial: null, mac: null, make: null, model: null, endpoint: null, onvifPort: null },
};

function soughtOf(row: CameraRow, subnets: readonly Subnet[]): Sought[] {
  const parts = partsOf(row.url);
  if (parts === null || !inSubnets(subnets, parts.host) || !isRecognizable(row.identity)) return [];
  return [{ row, identity: row.identity, from: parts.host, port: parts.port, found: false }];
}
