/** What most measurements need: a real RTSP server showing one stream on several mounts, and a recorder recording it. */
import { type PreparedStream, prepareStream, type StreamSettings } from '../test/support/frame-clock.js';
import { type GstServer, startGstServer } from '../test/support/gst/gst-server.js';
import { type BenchRecorder, startRecorder, untilRecording } from './recorder.js';

export interface Scene {
  server: GstServer;
  recorder: BenchRecorder;
  stream: PreparedStream;
  /** ids of the cameras; camera `id` shows mount `/id` */
  cameras: string[];
}

/** Runs `work` while `count` cameras record `settings`, then takes everything down. */
export async function whileRecording<T>(
  settings: StreamSettings,
  count: number,
  work: (scene: Scene) => Promise<T>,
): Promise<T> {
  const stream = await prepareStream(settings);
  const cameras = Array.from({ length: count }, (_, i) => `cam${i + 1}`);
  const server = await startGstServer({
    mounts: cameras.map((id) => ({
      path: `/${id}`,
      file: stream.file,
      codec: stream.codec,
      fps: stream.fps,
    })),
  });
  try {
    const recorder = await startRecorder();
    try {
      for (const id of cameras) await recorder.client.addCamera({ id, name: id, url: server.url(`/${id}`) });
      await untilRecording(recorder.client, count);
      return await work({ server, recorder, stream, cameras });
    } finally {
      await recorder.stop();
    }
  } finally {
    await server.stop();
  }
}

/** Waits for `seconds`: measuring takes its time. */
export const pause = (seconds: number) => new Promise<void>((go) => setTimeout(go, seconds * 1000));
