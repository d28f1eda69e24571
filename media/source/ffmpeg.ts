import { type ChildProcess, spawn } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import process from 'node:process';
import type { Writable } from 'node:stream';
import type { Ffmpeg } from '../../src/base/ffmpeg.js';
import { withoutKeys } from '../../src/base/ffmpeg.js';
import type { Fragment, FragmentSink, FragmentSource, SourceEnd } from '../fragment.js';
import { FragmentReader } from '../mp4/reader.js';
import { type Address, atHost, hostName, withoutSecrets } from './address.js';
import { PATIENT_MS, type SourceHabits, type SourceOptions, sourceArguments } from './arguments.js';
import { AwakeClock } from './awake.js';
import type { LoginGuard } from './login-guard.js';
import { type OutputPipe, openPipe, type Reading } from './pipe.js';
import { causeOf } from './verdict.js';

export interface SourceLimits {
  /** nothing at all after this: given up, ms */
  connectMs: number;
  /** connected, but no fragment yet: a camera may take long to its first keyframe, ms */
  firstFragmentMs: number;
  /** streaming, then no fragment for this long, ms */
  stallMs: number;
  /** between asking (`q`), SIGTERM and SIGKILL, ms */
  patienceMs: number;
}

export const SOURCE_LIMITS: SourceLimits = {
  connectMs: 15_000,
  firstFragmentMs: 60_000,
  stallMs: 4_000,
  patienceMs: 1_000,
};

export interface FfmpegSourceOptions extends Omit<SourceOptions, 'nowMs' | 'habits'> {
  ffmpeg: Pick<Ffmpeg, 'path' | 'major' | 'kind'>;
  limits?: Partial<SourceLimits>;
  /** what is known of this camera's ways, written down here when more is found out; default: nothing yet */
  habits?: SourceHabits;
  /** keeps a wrong password from being tried too often; default: no guard (a person is trying it) */
  guard?: LoginGuard;
  /** called with the child's process id, then with null when it has ended */
  onChild?: (pid: number | null) => void;
}

/** Of this process: what holds it up is no camera's silence. */
const awake = new AwakeClock();

/** The watchdog looks twice, this far apart, ms. */
const SECOND_LOOK_MS = 250;

/** Pictures closer together than this have no times of their own, ms: ffmpeg sets them one tick apart. */
const CROWDED_MS = 2;
/** So many of them are no accident … */
const CROWD = 5;
/** … when they came over more than this, or again in the next fragment, ms. */
const CROWD_LASTS_MS = 2000;

/** ffmpeg gave up before a keyframe told what the pictures are. */
const UNTOLD = /unspecified size|dimensions not set/i;

/** Lines of stderr that say why; the last 4 KiB, whole ones: the rest of an address that was cut is none any more. */
const STDERR_BYTES = 4096;
const newestLines = (text: string) =>
  text.length <= STDERR_BYTES ? text : text.slice(-STDERR_BYTES).replace(/^[^\n]*\n/, '');

/** One ffmpeg child per connection, fragmented MP4 on its standard output. */
export class FfmpegSource implements FragmentSource {
  constructor(private readonly options: FfmpegSourceOptions) {}

  /** Connects again at once when the camera turns out to have ways that ffmpeg must be told of. */
  async run(sink: FragmentSink, signal: AbortSignal): Promise<SourceEnd> {
    const { address, guard } = this.options;
    const pass = await guard?.enter(address, signal);
    if (pass === null)
      return { cause: 'refused', detail: 'not tried: this host refused the same password a moment ago' };
    const welcomed: FragmentSink = {
      init: (init) => {
        pass?.admitted();
        sink.init(init);
      },
      fragment: (fragment) => sink.fragment(fragment),
    };
    const habits = this.options.habits ?? { ownTimes: false, patient: false };
    for (;;) {
      const before = { ...habits };
      const end = await this.connect(welcomed, signal, habits);
      const learned = habits.ownTimes !== before.ownTimes || habits.patient !== before.patient;
      if (learned && !signal.aborted) continue;
      pass?.ended(end.cause);
      return end;
    }
  }

  private async connect(sink: FragmentSink, signal: AbortSignal, habits: SourceHabits): Promise<SourceEnd> {
    const { ffmpeg, address: given } = this.options;
    const limits = { ...SOURCE_LIMITS, ...this.options.limits };
    if (habits.patient) limits.connectMs = Math.max(limits.connectMs, PATIENT_MS + limits.connectMs);
    let address = given;
    const name = hostName(given);
    if (name !== null && ffmpeg.kind !== 'system') {
      // A static build has no resolver of its own: it crashes on a host's name.
      try {
        address = atHost(given, (await lookup(name, { order: 'ipv4first' } as object)).address);
      } catch {
        return { cause: 'unreachable', detail: `the host name ${name} is not known` };
      }
    }
    if (signal.aborted) return { cause: 'broken', detail: 'not started' };
    const run = new Run(address, limits, sink, signal, habits, this.options.onChild);
    const pipe = await openPipe(run).catch(() => null);
    const command = sourceArguments(ffmpeg.major, {
      ...{ ...this.options, address, habits },
      nowMs: Date.now(),
    });
    let child: ChildProcess;
    try {
      child = spawn(ffmpeg.path, command.args, {
        stdio: [
          'pipe',
          pipe?.childEnd ?? 'pipe',
          'pipe',
          ...(command.script === null ? [] : (['pipe'] as const)),
        ],
        windowsHide: true,
        env: withoutKeys(process.env),
      });
    } catch (error) {
      pipe?.close();
      return { cause: 'broken', detail: `ffmpeg did not start: ${String(error)}` };
    } finally {
      pipe?.handOver();
    }
    return run.untilEnd(child, pipe, command.script);
  }
}

/** The life of one child. */
class Run implements Reading {
  stderr = '';
  streamed = false;
  stalled = false;
  private timescale = 1;
  /** fragments without times in a row, and when the fragment before arrived */
  private crowds = 0;
  private previousMs = Number.POSITIVE_INFINITY;
  private fault: string | null = null;
  private ending = false;
  private notVideo = false;
  private watchdog: NodeJS.Timeout | undefined;
  private watchedMs = 0;
  /** when something came last, by `awake` */
  private heardMs = 0;
  private readonly begunMs = performance.now();
  private killers: NodeJS.Timeout[] = [];
  private readonly reader: FragmentReader;
  private child!: ChildProcess;
  private resolve!: (end: SourceEnd) => void;

  constructor(
    private readonly address: Address,
    private readonly limits: SourceLimits,
    sink: FragmentSink,
    private readonly signal: AbortSignal,
    private readonly habits: SourceHabits,
    private readonly onChild: ((pid: number | null) => void) | undefined,
  ) {
    this.reader = new FragmentReader({
      init: (init) => {
        this.timescale = init.timescale;
        if (!this.streamed) this.watch(limits.firstFragmentMs);
        sink.init(init);
      },
      fragment: (fragment) => {
        if (this.isCrowded(fragment)) return;
        this.streamed = true;
        this.watch(limits.stallMs);
        sink.fragment(fragment);
      },
    });
  }

  get lastedMs(): number {
    return performance.now() - this.begunMs;
  }

  untilEnd(child: ChildProcess, pipe: OutputPipe | null, script: string | null): Promise<SourceEnd> {
    this.child = child;
    return new Promise((resolve) => {
      this.resolve = resolve;
      this.begin(pipe, script);
    });
  }

  private begin(pipe: OutputPipe | null, script: string | null): void {
    const { child } = this;
    for (const stream of child.stdio) stream?.on('error', () => {});
    child.on('error', (error) => {
      this.fault = `ffmpeg did not start: ${error.message}`;
      if (child.pid !== undefined) return;
      pipe?.close();
      this.end();
    });
    child.on('close', (_code, killedBy) => {
      if (killedBy !== null && !this.ending) this.fault ??= `ffmpeg died of ${killedBy}`;
      void (pipe?.ended ?? Promise.resolve()).then(() => this.end());
    });
    if (child.pid !== undefined) this.onChild?.(child.pid);
    if (script !== null) (child.stdio[3] as Writable | null)?.end(script);
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = newestLines(this.stderr + text);
    });
    child.stdout?.on('data', (chunk: Buffer) => this.read(() => this.reader.push(chunk)));
    this.watch(this.limits.connectMs);
    if (this.signal.aborted) this.askToEnd();
    else this.signal.addEventListener('abort', this.askToEnd, { once: true });
  }

  room(): Buffer {
    return this.reader.room();
  }

  took(bytes: number): void {
    this.read(() => this.reader.took(bytes));
  }

  private read(parse: () => void): void {
    if (this.fault !== null) return;
    try {
      parse();
    } catch (error) {
      this.fault = error instanceof Error ? error.message : String(error);
      this.notVideo = true;
      this.askToEnd();
    }
  }

  /**
   * Are these pictures without times? A camera that begins so is connected again with times of arrival; one whose
   * times stopped (they were set back) is done with. Such pictures can't be dated and are not handed on.
   */
  private isCrowded({ samples, durationTicks, arrivedMs }: Fragment): boolean {
    const tookMs = arrivedMs - this.previousMs;
    this.previousMs = arrivedMs;
    const crowded = samples >= CROWD && (durationTicks * 1000) / this.timescale <= samples * CROWDED_MS;
    this.crowds = crowded ? this.crowds + 1 : 0;
    if (!crowded) return false;
    // With sound, the camera's first report may set the times back a little, once: that passes.
    if (this.crowds < 2 && tookMs < CROWD_LASTS_MS) return !this.streamed;
    if (!this.ending) {
      if (!this.streamed && !this.habits.ownTimes) this.habits.ownTimes = true;
      this.fault ??= "the camera's timestamps stand still";
      this.askToEnd();
    }
    return true;
  }

  private watch(ms: number): void {
    this.heardMs = awake.now();
    if (this.watchedMs === ms && !this.ending) {
      this.watchdog?.refresh();
      return;
    }
    clearTimeout(this.watchdog);
    if (this.ending) return;
    this.watchedMs = ms;
    this.watchdog = setTimeout(() => this.look(ms - SECOND_LOOK_MS), ms - SECOND_LOOK_MS);
  }

  private look(afterMs: number): void {
    const restMs = afterMs - (awake.now() - this.heardMs);
    if (restMs > 1) {
      this.watchdog = setTimeout(() => this.look(afterMs), restMs);
      return;
    }
    // What has arrived meanwhile is read first.
    this.watchedMs = 0;
    this.watchdog = setTimeout(() => {
      this.stalled = true;
      this.askToEnd();
    }, SECOND_LOOK_MS);
  }

  /** `q`, then SIGTERM, then SIGKILL: a stopped or hung child ends too. */
  private readonly askToEnd = (): void => {
    if (this.ending) return;
    this.ending = true;
    clearTimeout(this.watchdog);
    const { child } = this;
    const { patienceMs } = this.limits;
    child.stdin?.write('q');
    // A child that has fallen silent sits in a read and hears no key.
    const first = this.stalled ? patienceMs / 4 : patienceMs;
    this.killers = [
      setTimeout(() => child.kill('SIGTERM'), first),
      setTimeout(() => child.kill('SIGKILL'), first + patienceMs / 2),
    ];
  };

  private end(): void {
    clearTimeout(this.watchdog);
    for (const killer of this.killers) clearTimeout(killer);
    this.signal.removeEventListener('abort', this.askToEnd);
    this.onChild?.(null);
    if (!this.streamed && this.address.kind === 'rtsp' && UNTOLD.test(this.stderr))
      this.habits.patient = true;
    const cause = this.notVideo && !this.streamed && this.stderr === '' ? 'not-video' : causeOf(this);
    const said =
      this.fault ?? (lastLines(this.stderr) || (this.stalled ? 'no pictures arrived' : 'the stream ended'));
    this.resolve({ cause, detail: withoutSecrets(said, this.address) });
  }
}

/** The last three lines that are not mere repetition, on one. */
const lastLines = (text: string) =>
  [...new Set(text.split(/\r?\n/).map((line) => line.replace(/^\[[^\]]*\] /, '').trim()))]
    .filter((line) => line !== '')
    .slice(-3)
    .join(' | ');
