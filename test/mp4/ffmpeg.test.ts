import { chmod, copyFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { findFfmpeg, readVersion, runFfmpeg } from '../../src/base/ffmpeg.js';
import { ffmpeg, tempFolder } from './footage.js';

const installed: string = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg').path;
const { PATH } = process.env;
afterEach(() => {
  process.env.PATH = PATH;
});

/** Stands for an executable that says something else. POSIX only. */
async function pretend(folder: string, name: string, says: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\necho '${says}'\n`);
  await chmod(path, 0o755);
  return path;
}

describe('finding ffmpeg', () => {
  it('takes the configured one and nothing else', async () => {
    expect(await findFfmpeg({ configured: installed })).toMatchObject({
      path: installed,
      kind: 'configured',
      major: 4,
    });
    await expect(findFfmpeg({ configured: '/nowhere/ffmpeg' })).rejects.toMatchObject({ kind: 'not-found' });
    await expect(findFfmpeg({ configured: process.execPath })).rejects.toThrow(/FFMPEG_PATH/);
  });

  it('finds the one packages bring when the system has none', async () => {
    process.env.PATH = await tempFolder();
    const found = await findFfmpeg();
    expect(['static', 'installer']).toContain(found.kind);
    expect(found.major).toBeGreaterThanOrEqual(4);
  });

  it.skipIf(process.platform === 'win32')(
    'passes over a system ffmpeg that is too old or broken',
    async () => {
      const folder = await tempFolder();
      process.env.PATH = [folder, PATH].join(delimiter);
      await pretend(folder, 'ffmpeg', 'ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright');
      expect((await findFfmpeg()).kind).not.toBe('system');
      await pretend(folder, 'ffmpeg', 'Segmentation fault');
      expect((await findFfmpeg()).kind).not.toBe('system');
      await pretend(folder, 'ffmpeg', 'ffmpeg version n7.1 Copyright');
      expect(await findFfmpeg()).toMatchObject({ kind: 'system', major: 7, version: 'n7.1' });
    },
  );

  it.skipIf(process.platform === 'win32')(
    'does not need the x bit on a configured copy to say what is wrong',
    async () => {
      const path = join(await tempFolder(), 'ffmpeg');
      await copyFile(installed, path);
      await chmod(path, 0o644);
      await expect(findFfmpeg({ configured: path })).rejects.toThrow(/EACCES/);
    },
  );

  it.each([
    ['ffmpeg version 5.1.9-0+deb12u1 Copyright (c)', 5],
    ['ffmpeg version n7.1 Copyright', 7],
    ['ffmpeg version n8.0-12-gabcdef Copyright', 8],
    ['ffmpeg version 8.0-essentials_build-www.gyan.dev Copyright', 8],
    ['ffmpeg version N-47683-g0e8eb07980-static\nlibavcodec     58. 42.102 / 58. 42.102', 4],
    ['ffmpeg version git-2025-03-10-87e5da9067 Copyright\nlibavcodec     61. 33.102', 7],
    ['ffmpeg version 2024-01-01-git-e1c1dc8347-full_build\nlibavcodec     60. 37.100', 6],
  ])('reads %j', (text, major) => {
    expect(readVersion(text)?.major).toBe(major);
  });

  it('knows what is no ffmpeg', () => {
    expect(readVersion('v20.11.0')).toBeNull();
  });
});

describe('running ffmpeg', () => {
  const endless = ['-v', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc2', '-f', 'null', '-'];

  it('gives what it wrote and how it ended', async () => {
    const good = await runFfmpeg(await ffmpeg(), ['-version']);
    expect(good).toMatchObject({ code: 0, ended: 'exit' });
    expect(good.stdout.toString()).toContain('ffmpeg version');
    const bad = await runFfmpeg(await ffmpeg(), ['-v', 'error', '-i', '/nowhere.mp4', '-f', 'null', '-']);
    expect(bad.code).not.toBe(0);
    expect(bad.stderr).toContain('nowhere.mp4');
  });

  it('kills it at the deadline, on abort, and when it talks too much', async () => {
    const cancel = new AbortController();
    const timed = runFfmpeg(await ffmpeg(), endless, { timeoutMs: 300, nice: true });
    const aborted = runFfmpeg(await ffmpeg(), endless, { signal: cancel.signal });
    cancel.abort();
    const loud = runFfmpeg(
      await ffmpeg(),
      ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2', '-f', 'rawvideo', 'pipe:1'],
      { maxOutputBytes: 1_000_000 },
    );
    expect(await timed).toMatchObject({ code: null, ended: 'timeout' });
    expect(await aborted).toMatchObject({ code: null, ended: 'aborted' });
    const result = await loud;
    expect(result).toMatchObject({ code: null, ended: 'too-much-output' });
    expect(result.stdout.length).toBeLessThanOrEqual(1_000_000);
    expect(await runFfmpeg(await ffmpeg(), endless, { signal: AbortSignal.abort() })).toMatchObject({
      ended: 'aborted',
    });
  });

  it('does not hang on a child that stops reading', async () => {
    const megabytes = Array.from({ length: 50 }, () => Buffer.alloc(1_000_000));
    const result = await runFfmpeg(await ffmpeg(), ['-v', 'error', '-version'], { input: megabytes });
    expect(result).toMatchObject({ code: 0, ended: 'exit' });
  });

  it('says when it can not be started', async () => {
    await expect(runFfmpeg({ path: '/nowhere/ffmpeg' }, [])).rejects.toThrow(/ENOENT/);
  });
});
