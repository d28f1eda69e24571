import process from 'node:process';
import { expect, test, vi } from 'vitest';
import { runFfmpeg } from '../../src/base/ffmpeg.js';

test('a child that decodes knows none of our keys', async () => {
  for (const name of ['SECRET_KEY', 'RECORDER_TOKEN', 'TELEGRAM_BOT_TOKEN', 'TELEGRAM_PROXY'])
    vi.stubEnv(name, 'a-secret-value');
  vi.stubEnv('HARMLESS', 'there');
  try {
    const print = ['-e', 'console.log(JSON.stringify(process.env))'];
    const { stdout } = await runFfmpeg({ path: process.execPath }, print);
    const seen = JSON.parse(stdout.toString()) as Record<string, string>;
    expect(seen.HARMLESS).toBe('there');
    expect(Object.values(seen)).not.toContain('a-secret-value');
  } finally {
    vi.unstubAllEnvs();
  }
});
