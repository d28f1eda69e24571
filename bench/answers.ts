/** How soon pictures and clips asked by chat are handed to the channel, beside the recorder alone and a fresh ffmpeg. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FrameDrawing, S1, S2, S3, type StreamSettings } from '../test/support/frame-clock.js';
import { type ClipRuns, clipsByChat, clipsOfRecorder, clipsSection } from './clips.js';
import type { Section } from './figures.js';
import {
  freshPictures,
  type PictureBar,
  type PictureRuns,
  picturesByChat,
  picturesOfRecorder,
  picturesSection,
} from './pictures.js';
import { tellingOutages } from './recorder.js';
import type { BenchOptions } from './run.js';
import { pause, whileAnswering } from './scene.js';

const CAMERAS = 4;
const STREAMS: { name: string; settings: StreamSettings; bar: PictureBar; clips: boolean }[] = [
  { name: '720p15 H.264, GOP 2 s', settings: S1, bar: { p50: 200, p95: 400, ageMs: 1200 }, clips: true },
  { name: '1080p25 H.264, GOP 4 s', settings: S2, bar: { p50: 700, p95: 1200, ageMs: 1600 }, clips: true },
  { name: '1080p25 H.265, GOP 4 s', settings: S3, bar: { p50: 700, p95: 1200, ageMs: 1600 }, clips: false },
];

/**
 * `rounds` pictures by chat of each stream (24), two thirds as many from the recorder alone, a fifth fresh; then as many
 * clips, half from the recorder alone. `seconds`: recorded before the first clip (75: more than one file).
 */
export async function answers({ rounds = 24, seconds = 75, say }: BenchOptions): Promise<Section[]> {
  const share = (part: number, least: number) => Math.max(least, Math.round(rounds * part));
  const pictures: PictureRuns[] = [];
  const clips: ClipRuns[] = [];
  for (const { name, settings, bar, clips: withClips } of STREAMS) {
    say(`${name}: setting up`);
    const drawing = new FrameDrawing(settings.width, settings.height);
    await whileAnswering(settings, CAMERAS, async (scene) => {
      const recordsMs = Date.now();
      await using _ = tellingOutages(scene.client, say);
      await pause(settings.gopSeconds + 1);
      say(`${name}: pictures`);
      const chat = await picturesByChat(scene, drawing, rounds, say);
      const recorder = await picturesOfRecorder(scene, drawing, share(2 / 3, 2), say);
      const fresh = await freshPictures(scene, drawing, share(1 / 5, 2));
      const broken = fresh.every((one) => !one.whole);
      const freshWhole = broken ? await freshPictures(scene, drawing, share(1 / 5, 2), true) : [];
      pictures.push({ name, bar, chat, recorder, fresh, freshWhole });
      if (!withClips) return;
      await pause(Math.max(0, seconds - (Date.now() - recordsMs) / 1000));
      say(`${name}: clips`);
      const folder = await mkdtemp(join(tmpdir(), 'mat-than-bench-clips-'));
      try {
        const byChat = await clipsByChat(scene, share(2 / 3, 2), say);
        const alone = await clipsOfRecorder(scene, share(1 / 3, 2), folder, say);
        clips.push({ name, settings, chat: byChat, recorder: alone });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }
  return [picturesSection(pictures), clipsSection(clips)];
}
