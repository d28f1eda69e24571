/** What stops without dying: the RTSP server, an ffmpeg, the recorder itself, the net in between. */
import { setTimeout as wait } from 'node:timers/promises';
import { type CuttableLine, openLine } from '../../test/support/cuttable-line.js';
import { gst } from '../../test/support/debian.js';
import type { GstServer } from '../../test/support/gst/gst-server.js';
import { eventually } from '../../test/support/product.js';
import { lives } from '../processes.js';
import type { Campaign, Round } from './campaign.js';
import { ffmpegsOf } from './checker.js';
import { untilFragment } from './frames.js';
import { BACK_MS, openStage, type Stage } from './stage.js';

/** "A stream that goes silent is noticed within 5 s", and a fragment may still be on its way. */
const NOTICED = 'noticed after';
const NOTICED_MS = 5500;
/** Surely longer than the recorder waits for a silent camera, ms. */
const SURELY_SILENT_MS = 6000;

/** Every camera hit records again, the others never stopped; then every promise. */
async function afterwards(
  stage: Stage,
  hit: readonly string[],
  fromMs: number,
  toMs: number,
): Promise<Round> {
  const again = await Promise.all(hit.map((id) => untilFragment(stage.root, id, fromMs, BACK_MS)));
  await stage.recording();
  const wrong = await stage.check();
  for (const id of stage.ids.filter((one) => !hit.includes(one))) {
    const { gaps } = await stage.recorder.client.coverage(id, { startMs: fromMs - 500, endMs: toMs });
    if (gaps.length > 0) wrong.push(`${id} has a gap though only ${hit.join(', ')} had a fault`);
  }
  return { figures: { 'recording again after': again.map((ms) => Math.max(0, ms - toMs)) }, wrong };
}

async function noticed(stage: Stage, seen: number, id: string, fromMs: number): Promise<number> {
  const { atMs } = await stage.told('camera-down', seen, stage.patience * 2 * NOTICED_MS, id);
  return atMs - fromMs;
}

/** Stops the server of all cameras for 1–9 s. */
export const stoppedServer: Campaign = {
  what: 'SIGSTOP of the RTSP server for 1–9 s',
  ...{ rounds: 60, lanes: 3, roundsAPlace: 20, needs: [gst], bars: { [NOTICED]: NOTICED_MS } },
  async open({ patience }) {
    let server: GstServer | undefined;
    const stage = await openStage({ patience, gst: (started) => (server = started) });
    return {
      async round(random) {
        await stage.recording();
        await wait(random() * 2000);
        const seen = stage.events.length;
        const fromMs = Date.now();
        server!.pause();
        const silent: number[] = [];
        const lengthMs = 1000 + random() * 8000;
        if (lengthMs > SURELY_SILENT_MS)
          silent.push(...(await Promise.all(stage.ids.map((id) => noticed(stage, seen, id, fromMs)))));
        await wait(Math.max(0, fromMs + lengthMs - Date.now()));
        server!.resume();
        const toMs = Date.now();
        await eventually(
          'pictures come again',
          async () => {
            const infos = await stage.recorder.client.cameras();
            return infos.every(
              ({ state, newestFrameMs }) => state === 'recording' && (newestFrameMs ?? 0) > toMs,
            );
          },
          BACK_MS,
        );
        return { figures: { [NOTICED]: silent }, wrong: await stage.check() };
      },
      async close(keepIn) {
        server?.resume();
        await stage.close(keepIn);
      },
    };
  },
};

/** Stops one ffmpeg, which nobody wakes: the recorder must get rid of it. */
export const stoppedFfmpeg: Campaign = {
  what: "SIGSTOP of one camera's ffmpeg, never continued",
  ...{ rounds: 60, lanes: 3, roundsAPlace: 20, needs: [], bars: { [NOTICED]: NOTICED_MS } },
  async open({ patience }) {
    const stage = await openStage({ patience });
    return {
      async round(random) {
        await stage.recording();
        await wait(random() * 2000);
        const seen = stage.events.length;
        const children = await ffmpegsOf(stage.recorder.pid);
        const child = children[Math.floor(random() * children.length)]!;
        const fromMs = Date.now();
        process.kill(child, 'SIGSTOP');
        const down = await stage.told('camera-down', seen);
        await eventually('the stopped ffmpeg is gone', () => !lives(child), BACK_MS);
        const round = await afterwards(stage, [down.cameraId!], fromMs, down.atMs);
        if (down.data.cause !== 'silent') round.wrong.push(`the cause was ${down.data.cause}, not silent`);
        round.figures[NOTICED] = [down.atMs - fromMs];
        return round;
      },
      close: stage.close,
    };
  },
};

/** Stops the recorder itself for 1–9 s, as a machine that swaps does. */
export const stoppedRecorder: Campaign = {
  what: 'SIGSTOP of the recorder for 1–9 s, then SIGCONT',
  ...{ rounds: 60, lanes: 3, roundsAPlace: 20, needs: [], bars: {} },
  async open({ patience }) {
    const stage = await openStage({ patience });
    return {
      async round(random) {
        await stage.recording();
        await wait(random() * 2000);
        process.kill(stage.recorder.pid, 'SIGSTOP');
        await wait(1000 + random() * 8000);
        process.kill(stage.recorder.pid, 'SIGCONT');
        const goesOnMs = Date.now();
        return afterwards(stage, stage.ids, goesOnMs, goesOnMs);
      },
      close: stage.close,
    };
  },
};

/** Cuts one camera's line (connections break) or freezes it (nothing passes, nobody is told) for 0.5–8 s. */
export const network: Campaign = {
  what: "one camera's line cut, or frozen without a word, for 0.5–8 s",
  ...{ rounds: 100, lanes: 4, roundsAPlace: 20, needs: [], bars: {} },
  async open({ patience }) {
    const lines: CuttableLine[] = [];
    const stage = await openStage({
      patience,
      async port(server) {
        const line = await openLine(server.port);
        lines.push(line);
        return line.port;
      },
    });
    return {
      async round(random) {
        await stage.recording();
        await wait(random() * 2000);
        const camera = Math.floor(random() * lines.length);
        const fromMs = Date.now();
        if (random() < 0.5) lines[camera]!.cut();
        else lines[camera]!.freeze();
        await wait(500 + random() * 7500);
        lines[camera]!.mend();
        return afterwards(stage, [stage.ids[camera]!], fromMs, Date.now());
      },
      async close(keepIn) {
        await stage.close(keepIn);
        await Promise.all(lines.map((line) => line.close()));
      },
    };
  },
};
