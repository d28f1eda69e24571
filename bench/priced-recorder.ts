/**
 * The recorder with some of its promises left out, to price each: nothing a person could set, only doors that this entry
 * hands in. Records the addresses that its parent sends; no API, no index, no chain, no retention.
 *   node priced-recorder.js <folder> [hash] [sync]
 */
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { RecorderIndex } from '../media/index/index.js';
import { type DiskCalls, diskCalls, RecordingDisk } from '../media/recording/disk.js';
import { Recorder } from '../media/recording/recorder.js';
import { findFfmpeg } from '../src/base/ffmpeg.js';
import { makeLog } from '../src/base/log.js';
import { makeKey, makeSeal } from '../src/base/seal.js';
import { migrate } from '../test/support/recorder-index.js';

// as media/main.ts
setFlagsFromString('--heap-growing-percent=300');

const [folder = '', ...parts] = process.argv.slice(2);
const log = makeLog({ name: 'priced', level: 'silent', dir: null });
const root = `${folder}/recordings`;

/** Writes, and makes nothing durable. */
const unsynced = (calls: DiskCalls): DiskCalls => ({
  ...calls,
  syncFile: async () => {},
  syncFolder: async () => {},
  syncFiles: async () => [],
});

/** The cameras are in it; files are not. */
function withoutFiles(index: RecorderIndex): RecorderIndex {
  const segments: Pick<RecorderIndex['segments'], 'add' | 'close' | 'drop'> = {
    add: async () => 0,
    close: async () => {},
    drop: async () => {},
  };
  return Object.assign(Object.create(index), {
    segments: Object.assign(Object.create(index.segments), segments),
  }) as RecorderIndex;
}

const index = await RecorderIndex.open(await migrate(folder), makeSeal(makeKey()));
const calls = diskCalls(root);
const recorder = new Recorder({
  ...{ root, log, index: withoutFiles(index), segmentMs: 60_000, tell: () => {} },
  ffmpeg: await findFfmpeg({ configured: process.env.FFMPEG_PATH }),
  disk: new RecordingDisk('ssd', parts.includes('sync') ? calls : unsynced(calls), log),
  ...(!parts.includes('hash') && {
    makeHash: () => ({ update: () => {}, digest: () => '' }),
  }),
});
await recorder.start();
process.on('message', async (urls: string[]) => {
  for (const [i, url] of urls.entries())
    await recorder.add({ id: `cam${i}`, name: `Camera ${i}`, url, transport: 'tcp' });
  while (recorder.recording().length < urls.length) await pause(250);
  process.send?.('recording');
});
process.on('disconnect', async () => {
  await recorder.stop();
  await index.close();
  process.exit(0);
});
process.send?.('ready');
