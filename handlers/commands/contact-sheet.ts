import sharp from 'sharp';
import { cut, drawn, forXml } from './drawing.js';

/** One place of the sheet: a picture, or the reason why there is none. */
export interface Tile {
  title: string;
  /** under the title: the time of the frame, or since when there is none */
  line: string;
  jpeg: Uint8Array | null;
  /** large words in place of a picture */
  reason: string | null;
}

export interface Sheet {
  jpeg: Buffer;
  width: number;
  height: number;
}

const GAP = 8;
const HEAD = 56;
const FOOT = 52;

/** Breaks a text into at most `most` lines of about `width` letters. */
function lines(text: string, width: number, most: number): string[] {
  const out: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > width) {
      out.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  out.push(line);
  return out.length <= most ? out : [...out.slice(0, most - 1), cut(out.slice(most - 1).join(' '), width)];
}

/** How many columns, and how wide a tile, for so many pictures. Pure. */
export function layOut(count: number): {
  columns: number;
  rows: number;
  tileWidth: number;
  tileHeight: number;
} {
  const columns = Math.max(1, Math.ceil(Math.sqrt(count)));
  const tileWidth = columns <= 2 ? 640 : columns <= 4 ? 480 : 384;
  return {
    columns,
    rows: Math.ceil(count / columns),
    tileWidth,
    tileHeight: Math.round((tileWidth * 9) / 16),
  };
}

/** Many pictures as one, each with its name and time; a dead camera's place says why. */
export async function contactSheet(title: string, tiles: Tile[]): Promise<Sheet> {
  const { columns, rows, tileWidth, tileHeight } = layOut(tiles.length);
  const width = columns * tileWidth + (columns + 1) * GAP;
  const height = HEAD + rows * (tileHeight + FOOT + GAP) + GAP;
  const letters = Math.floor(tileWidth / 12);
  const at = (i: number) => ({
    left: GAP + (i % columns) * (tileWidth + GAP),
    top: HEAD + Math.floor(i / columns) * (tileHeight + FOOT + GAP),
  });
  const labels = tiles.map((tile, i) => {
    const { left, top } = at(i);
    const reason =
      tile.jpeg !== null || tile.reason === null
        ? ''
        : lines(tile.reason, Math.floor(tileWidth / 14), 4)
            .map(
              (line, n, all) =>
                `<text x="${left + tileWidth / 2}" y="${top + tileHeight / 2 + (n - (all.length - 1) / 2) * 30 + 8}" text-anchor="middle" font-size="22" fill="#ffb4a8">${forXml(line)}</text>`,
            )
            .join('');
    const blank =
      tile.jpeg === null
        ? `<rect x="${left}" y="${top}" width="${tileWidth}" height="${tileHeight}" fill="#2a2f3a"/>`
        : '';
    return `${blank}${reason}<text x="${left + 2}" y="${top + tileHeight + 22}" font-size="19" font-weight="700" fill="#ffffff">${forXml(cut(tile.title, letters))}</text><text x="${left + 2}" y="${top + tileHeight + 44}" font-size="16" fill="#b9c2d0">${forXml(cut(tile.line, Math.floor(tileWidth / 9)))}</text>`;
  });
  const heading = `<text x="${GAP + 2}" y="37" font-size="24" font-weight="700" fill="#ffffff">${forXml(title)}</text>`;
  const words = drawn(width, height, heading + labels.join(''));
  const pictures = await Promise.all(
    tiles.map(async (tile, i) =>
      tile.jpeg === null
        ? null
        : {
            input: await sharp(tile.jpeg)
              .resize(tileWidth, tileHeight, { fit: 'contain', background: '#000000' })
              .toBuffer(),
            ...at(i),
          },
    ),
  );
  const jpeg = await sharp({ create: { width, height, channels: 3, background: '#14181f' } })
    .composite([...pictures.filter((picture) => picture !== null), { input: words, left: 0, top: 0 }])
    .jpeg({ quality: 82 })
    .toBuffer();
  return { jpeg, width, height };
}
