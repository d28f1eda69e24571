/** What is done to a recorder while it soaks: connections dropped, pictures and clips asked, addresses that are no cameras. */
import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../test/support/product.js';
import type { BenchRecorder } from './recorder.js';
import type { Served } from './scene.js';

/** A connection is dropped every so often on average, s. */
export const DROP_EVERY_SECONDS = 20;
export const PICTURE_EVERY_SECONDS = 3;
export const CLIP_EVERY_SECONDS = 7;
export const CLIP_MS = 10_000;
/** A dropped camera is back within this, on a noisy machine too, ms. */
export const BACK_MS = 60_000;

/** Addresses where somebody takes connections and says nothing. */
export async function silentAddresses(count: number): Promise<{ urls: string[]; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
  });
  const port = await freePort();
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  return {
    urls: Array.from({ length: count }, (_, i) => `rtsp://127.0.0.1:${port}/silent${i + 1}`),
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** What was done beside recording, and what came of it. */
export interface Asked {
  drops: { path: string; atMs: number }[];
  pictures: number;
  clips: number;
  /** pictures and clips refused though the camera had not been dropped lately */
  refused: string[];
}

/** Does `work` again and again, about every `seconds`, until the signal aborts. */
async function every(
  seconds: number,
  signal: AbortSignal,
  random: () => number,
  work: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await wait(seconds * 1000 * (0.5 + random()), undefined, { signal }).catch(() => {});
    if (!signal.aborted) await work();
  }
}

/** Does all of it until the signal aborts. `temp`: clips are fetched there, and removed. */
export function askAndDrop(
  { client }: BenchRecorder,
  { server, paths }: Served,
  temp: string,
  random: () => number,
  signal: AbortSignal,
): { asked: Asked; done: Promise<unknown> } {
  const asked: Asked = { drops: [], pictures: 0, clips: 0, refused: [] };
  const any = () => Math.floor(random() * paths.length);
  const lately = (path: string) =>
    asked.drops.some((drop) => drop.path === path && Date.now() - drop.atMs < BACK_MS);
  const ask = async (what: 'picture' | 'clip', work: (i: number) => Promise<void>) => {
    const i = any();
    try {
      await work(i);
      asked[`${what}s`] += 1;
    } catch (error) {
      if (lately(paths[i]!)) return;
      const state = await client.camera(`cam${i + 1}`).catch(() => null);
      const drops = asked.drops.filter(({ path }) => path === paths[i]).map(({ atMs }) => Date.now() - atMs);
      asked.refused.push(
        `${what} of cam${i + 1} at ${new Date().toISOString()}: ${String(error)}; ${state?.state} ${state?.cause ?? ''}, dropped ${drops.join(', ')} ms ago`,
      );
    }
  };
  const drops = every(DROP_EVERY_SECONDS, signal, random, async () => {
    const path = paths[any()]!;
    asked.drops.push({ path, atMs: Date.now() });
    server.drop(path);
  });
  const pictures = every(PICTURE_EVERY_SECONDS, signal, random, () =>
    ask('picture', async (i) => void (await client.snapshot(`cam${i + 1}`))),
  );
  const clips = every(CLIP_EVERY_SECONDS, signal, random, () =>
    ask('clip', async (i) => {
      const endMs = Date.now() - 1000;
      const job = await client.clip({ cameraId: `cam${i + 1}`, startMs: endMs - CLIP_MS, endMs });
      const file = join(temp, 'clip.mp4');
      await client.savePart(job.id, 0, file);
      await rm(file);
    }),
  );
  return { asked, done: Promise.all([drops, pictures, clips]) };
}
