/**
 * Debian's programs that some tests need: a real RTSP server, a browser, today's ffmpeg. `npm test` installs them
 * before the tests begin where it may; else `describe.skipIf(!gst.available)` and a line at the end says why.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { systemFfmpeg } from './ffmpeg.js';

export interface Need {
  name: string;
  packages: readonly string[];
  available: boolean;
  /** why not, in words; empty when available */
  reason: string;
}

function need(name: string, packages: string[], there: () => boolean): Need {
  const available = there();
  const reason = available ? '' : `${name} is missing (Debian: ${packages.join(' ')})`;
  return { name, packages, available, reason };
}

const GST_TRIAL = `
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(Gst.ElementFactory.find(name) for name in ("appsrc", "rtph264pay", "rtph265pay"))
`;

function runs(program: string, args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore', timeout: 20_000 }).status === 0;
}

/** The browser to hand to playwright-core, or null. */
export const chromiumPath: string | null =
  [
    process.env.CHROMIUM_PATH,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
  ].find((path) => path !== undefined && existsSync(path)) ?? null;

/** gst-rtsp-server, as test/support/gst/gst-server.ts starts it. */
export const gst: Need = need(
  'gst-rtsp-server',
  ['gir1.2-gst-rtsp-server-1.0', 'python3-gi', 'gstreamer1.0-plugins-base', 'gstreamer1.0-plugins-good'],
  () => process.platform === 'linux' && runs('/usr/bin/python3', ['-c', GST_TRIAL]),
);

export const chromium: Need = need('chromium', ['chromium'], () => chromiumPath !== null);

/** ffmpeg 5 or newer on PATH. */
export const recentFfmpeg: Need = need(
  'ffmpeg 5 or newer',
  ['ffmpeg'],
  () => (systemFfmpeg()?.major ?? 0) >= 5,
);

/** libfaketime, to set the clock of one process; null where it is not. */
export const faketimeLibrary: string | null =
  ['x86_64-linux-gnu', 'aarch64-linux-gnu']
    .map((machine) => `/usr/lib/${machine}/faketime/libfaketimeMT.so.1`)
    .find((path) => existsSync(path)) ?? null;

export const faketime: Need = need('libfaketime', ['libfaketime'], () => faketimeLibrary !== null);

/** Shows what a process asks of the file system. */
export const strace: Need = need(
  'strace',
  ['strace'],
  () => process.platform === 'linux' && runs('strace', ['-V']),
);

/** A disk of the test's own, that can be broken. */
export const loopDisk: Need = need(
  'a disk of our own (root, a loop device, ext4)',
  ['e2fsprogs'],
  () =>
    process.platform === 'linux' &&
    process.getuid?.() === 0 &&
    runs('losetup', ['-f']) &&
    runs('mkfs.ext4', ['-V']),
);

export const needs: readonly Need[] = [gst, chromium, recentFfmpeg, faketime, strace, loopDisk];
