import { createRequire } from 'node:module';
import { VIETNAM_OFFSET_MS } from '../../src/base/clock.js';

/** Frames a second of every scene. */
const RATE = 15;

const box = (x: number, y: number, w: number, h: number, color: string) =>
  `drawbox=x=${x}:y=${y}:w=${w}:h=${h}:c=${color}:t=fill`;

const STREET = [
  `color=c=0x9db8cf:s=1280x720:r=${RATE},format=yuv420p`,
  box(0, 300, 1280, 130, '0x6d8a5c'),
  box(70, 150, 260, 250, '0xc8a27a'),
  box(110, 200, 70, 80, '0x3d4a57'),
  box(220, 200, 70, 80, '0x3d4a57'),
  box(820, 110, 320, 290, '0xb86b52'),
  box(880, 170, 80, 90, '0x2f3b46'),
  box(1010, 170, 80, 90, '0x2f3b46'),
  box(0, 430, 1280, 230, '0x55585c'),
  `${box(0, 540, 1280, 8, '0xe6dfb8')}[bg]`,
].join(',');

/** Moving pictures that every ffmpeg since 2018 can make, cheap enough for four at once. */
const SCENES: Record<string, string> = {
  street: [
    STREET,
    `color=c=0xb3261e:s=150x64:r=${RATE}[car]`,
    `color=c=0x1f4fa3:s=220x96:r=${RATE}[bus]`,
    `color=c=0x2b2b2b:s=26x70:r=${RATE}[man]`,
    "[bg][car]overlay=x='mod(t*170\\,1500)-160':y=455[a]",
    "[a][bus]overlay=x='1300-mod(t*110\\,1600)':y=560[b]",
    "[b][man]overlay=x='640+300*sin(t/7)':y=390",
  ].join(';'),
  pattern: `testsrc2=size=1280x720:rate=${RATE}`,
  fractal: `mandelbrot=size=256x144:rate=${RATE}:end_scale=0.02,scale=1280:720:flags=fast_bilinear`,
  life: `life=size=160x90:rate=${RATE}:mold=20:ratio=0.3:seed=7:death_color=0x305030:life_color=0xf0d060:stitch=1,scale=1280:720:flags=neighbor`,
};

const fontFile = () =>
  createRequire(import.meta.url).resolve(
    '@expo-google-fonts/be-vietnam-pro/500Medium/BeVietnamPro_500Medium.ttf',
  );

/** A value inside a filter inside a graph: forward slashes, and the drive's colon escaped for both parsers. */
const escaped = (file: string) =>
  file
    .replaceAll('\\', '/')
    .replace(/[:']/g, (char) => `\\\\\\${char}`)
    .replace(/[[\],; ]/g, (char) => `\\${char}`);

/**
 * Arguments that make the scene in real time with the camera's name and a clock in Vietnamese time to the tenth of a
 * second. Its clock is ffmpeg's own when it begins (RTCSTART), so slow starting does not put it wrong.
 */
export function sceneArguments(scene: string, name: string, nowMs: number): string[] {
  const style = `fontfile=${escaped(fontFile())}:fontsize=36:fontcolor=white:box=1:boxcolor=black@0.55:boxborderw=8:x=24`;
  const title = name.replace(/[^\p{L}\p{N} ().-]/gu, ' ').trim() || ' ';
  const shifted = nowMs + VIETNAM_OFFSET_MS;
  // 0.3 ms off every whole tenth: the second and the tenth are cut from the same number and must turn together.
  const seconds = `${Math.floor(shifted / 1000)}.${String(shifted % 1000).padStart(3, '0')}3`;
  const fraction = `0.${seconds.split('.')[1]}`;
  const graph = [
    SCENES[scene],
    'settb=1/1000000',
    `setpts=PTS-STARTPTS+(RTCSTART-${nowMs}000)/(TB*1000000)`,
    `drawtext=${style}:y=20:text='${title}'`,
    `drawtext=${style}:y=h-64:text='%{pts\\:gmtime\\:${seconds}}.%{eif\\:mod(floor((t+${fraction})*10)\\,10)\\:d}'`,
    `setpts=N/(${RATE}*TB)`,
  ].join(',');
  return [
    ...['-re', '-f', 'lavfi', '-i', graph, '-an', '-threads', '1'],
    ...[
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-tune',
      'zerolatency',
      '-profile:v',
      'main',
      '-pix_fmt',
      'yuv420p',
    ],
    ...['-g', String(2 * RATE), '-keyint_min', String(2 * RATE), '-sc_threshold', '0'],
    ...['-b:v', '1M', '-maxrate', '1500k', '-bufsize', '2M'],
  ];
}
