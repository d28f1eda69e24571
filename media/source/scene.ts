import { createRequire } from 'node:module';
import { VIETNAM_OFFSET_MS } from '../../src/base/clock.js';
import type { Scene } from './address.js';

/** Frames a second of every scene. */
const RATE = 15;

const box = (x: number, y: number, w: number, h: number, color: string) =>
  `drawbox=x=${x}:y=${y}:w=${w}:h=${h}:c=${color}:t=fill`;

/** A still scene and what moves through it: size, colour, and where it is at time t (seconds). */
interface Picture {
  sky: string;
  still: string[];
  moving: { width: number; height: number; color: string; x: string; y: string }[];
}

const windows = (xs: number[], y: number, color: string) => xs.map((x) => box(x, y, 62, 74, color));

/** Moving pictures that every ffmpeg since 2018 can make, cheap enough for four at once. */
const PICTURES: Record<Scene, Picture> = {
  street: {
    sky: '0x9db8cf',
    still: [
      ...[box(0, 300, 1280, 130, '0x6d8a5c'), box(70, 150, 260, 250, '0xc8a27a')],
      ...windows([110, 220], 200, '0x3d4a57'),
      box(820, 110, 320, 290, '0xb86b52'),
      ...windows([880, 1010], 170, '0x2f3b46'),
      ...[box(0, 430, 1280, 230, '0x55585c'), box(0, 540, 1280, 8, '0xe6dfb8')],
    ],
    moving: [
      { width: 150, height: 64, color: '0xb3261e', x: 'mod(t*170,1500)-160', y: '455' },
      { width: 220, height: 96, color: '0x1f4fa3', x: '1300-mod(t*110,1600)', y: '560' },
      { width: 26, height: 70, color: '0x2b2b2b', x: '640+300*sin(t/7)', y: '390' },
    ],
  },
  school: {
    sky: '0xbcd3e6',
    still: [
      ...[box(0, 420, 1280, 300, '0xb7a588'), box(120, 130, 1040, 300, '0xe3c46b')],
      ...[box(120, 110, 1040, 28, '0x9c3b2e'), box(560, 250, 160, 180, '0x6b4a2f')],
      ...windows([170, 270, 370, 470, 760, 860, 960, 1060], 190, '0x49606f'),
      ...[box(1190, 60, 8, 400, '0x777777'), box(1090, 60, 100, 64, '0xda251d')],
      ...[box(0, 440, 500, 16, '0x5c7a4a'), box(780, 440, 500, 16, '0x5c7a4a')],
    ],
    moving: [
      { width: 22, height: 52, color: '0xf2f2f2', x: '200+mod(t*60,900)', y: '470+8*sin(t*5)' },
      { width: 22, height: 52, color: '0x2c4c8c', x: '1000-mod(t*45,900)', y: '520+8*sin(t*4)' },
      { width: 86, height: 50, color: '0x1d1d1f', x: 'mod(t*140,1500)-100', y: '610' },
    ],
  },
  bridge: {
    sky: '0xcfd8dc',
    still: [
      ...[box(0, 240, 1280, 80, '0x4f6f52'), box(0, 320, 1280, 400, '0x4d7f95')],
      ...[200, 520, 840, 1160].map((x) => box(x, 470, 44, 190, '0x7d7f80')),
      ...[box(0, 400, 1280, 76, '0x9a9c9d'), box(0, 386, 1280, 10, '0xd9d9d9')],
      ...Array.from({ length: 16 }, (_, i) => box(20 + i * 80, 350, 6, 50, '0xd9d9d9')),
    ],
    moving: [
      { width: 74, height: 44, color: '0x7a1f1f', x: 'mod(t*190,1450)-90', y: '424' },
      { width: 60, height: 40, color: '0x22313a', x: '1300-mod(t*150,1450)', y: '412' },
      { width: 190, height: 34, color: '0x5a3d26', x: 'mod(t*35,1600)-200', y: '600+6*sin(t)' },
    ],
  },
  yard: {
    sky: '0x232a3a',
    still: [
      ...[box(0, 400, 1280, 320, '0x4a4d45'), box(280, 180, 720, 230, '0x8a8271')],
      ...[box(250, 160, 780, 26, '0x5a2f27'), box(560, 270, 160, 140, '0x3b2c20')],
      ...windows([340, 450, 770, 880], 240, '0xf0c75e'),
      ...[box(130, 120, 10, 330, '0x888888'), box(104, 104, 62, 22, '0xffe9a8')],
      box(60, 450, 170, 18, '0x6d6a50'),
    ],
    moving: [
      { width: 26, height: 72, color: '0x15161a', x: '640+420*sin(t/9)', y: '470+30*cos(t/5)' },
      { width: 40, height: 22, color: '0x6a5236', x: '300+mod(t*80,700)', y: '640' },
      { width: 90, height: 52, color: '0x1c3d2d', x: 'mod(t*60,1500)-110', y: '560' },
    ],
  },
};

/** The filter graph of a scene: the still part drawn once and held, what moves laid over it. */
function graphOf({ sky, still, moving }: Picture): string {
  const quoted = (expression: string) => expression.replaceAll(',', '\\,');
  const parts = [
    // Drawn once, then repeated: only the moving pieces cost something at each frame.
    `${[`color=c=${sky}:s=1280x720:r=${RATE}:d=1`, 'format=yuv420p', ...still].join(',')},loop=-1:1:0,setpts=N/(${RATE}*TB)[s0]`,
    ...moving.map(({ width, height, color }, i) => `color=c=${color}:s=${width}x${height}:r=${RATE}[m${i}]`),
    ...moving.map(
      ({ x, y }, i) =>
        `[s${i}][m${i}]overlay=x='${quoted(x)}':y='${quoted(y)}'${i + 1 < moving.length ? `[s${i + 1}]` : ''}`,
    ),
  ];
  return parts.join(';');
}

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
export function sceneArguments(scene: Scene, name: string, nowMs: number): string[] {
  const style = `fontfile=${escaped(fontFile())}:fontsize=36:fontcolor=white:box=1:boxcolor=black@0.55:boxborderw=8:x=24`;
  const title = name.replace(/[^\p{L}\p{N} ().-]/gu, ' ').trim() || ' ';
  const shifted = nowMs + VIETNAM_OFFSET_MS;
  // 0.3 ms off every whole tenth: the second and the tenth are cut from the same number and must turn together.
  const seconds = `${Math.floor(shifted / 1000)}.${String(shifted % 1000).padStart(3, '0')}3`;
  const fraction = `0.${seconds.split('.')[1]}`;
  const graph = [
    graphOf(PICTURES[scene]),
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
