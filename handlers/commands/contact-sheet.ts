import sharp from 'sharp';
import { cut, drawn, forXml, sheetOf } from './drawing.js';

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

/** How a sheet is laid out; pixels. */
export interface SheetStyle {
  columns: number;
  tileWidth: number;
  tileHeight: number;
  /** room for the heading, and the size of its letters */
  head: number;
  heading: number;
  /** room under a picture, and the sizes of its two lines and of a reason */
  foot: number;
  title: number;
  line: number;
  reason: number;
  /** drawn (SVG elements) between heading and pictures, in a box of `height` */
  strip?: { height: number; draw(box: { left: number; top: number; width: number }): string };
}

const GAP = 8;
/** How wide a letter is for its size, about. */
const LETTER = 0.6;

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
export function layOut(count: number): SheetStyle & { rows: number } {
  const columns = Math.max(1, Math.ceil(Math.sqrt(count)));
  const tileWidth = columns <= 2 ? 640 : columns <= 4 ? 480 : 384;
  return {
    columns,
    rows: Math.ceil(count / columns),
    tileWidth,
    tileHeight: Math.round((tileWidth * 9) / 16),
    ...{ head: 56, heading: 24, foot: 52, title: 19, line: 16, reason: 22 },
  };
}

/** Many pictures as one, each with its name and time; a dead camera's place says why. */
export async function contactSheet(
  title: string,
  tiles: Tile[],
  style: SheetStyle = layOut(tiles.length),
): Promise<Sheet> {
  const { columns, tileWidth, tileHeight, foot, strip } = style;
  const rows = Math.ceil(tiles.length / columns);
  const width = columns * tileWidth + (columns + 1) * GAP;
  const begin = style.head + (strip === undefined ? 0 : strip.height + GAP);
  const height = begin + rows * (tileHeight + foot + GAP) + GAP;
  const fits = (size: number, room = tileWidth) => Math.floor(room / (size * LETTER));
  const at = (i: number) => ({
    left: GAP + (i % columns) * (tileWidth + GAP),
    top: begin + Math.floor(i / columns) * (tileHeight + foot + GAP),
  });
  const labels = tiles.map((tile, i) => {
    const { left, top } = at(i);
    const reason =
      tile.jpeg !== null || tile.reason === null
        ? ''
        : lines(tile.reason, fits(style.reason), 4)
            .map(
              (line, n, all) =>
                `<text x="${left + tileWidth / 2}" y="${top + tileHeight / 2 + (n - (all.length - 1) / 2) * style.reason * 1.36 + 8}" text-anchor="middle" font-size="${style.reason}" fill="#ffb4a8">${forXml(line)}</text>`,
            )
            .join('');
    const blank =
      tile.jpeg === null
        ? `<rect x="${left}" y="${top}" width="${tileWidth}" height="${tileHeight}" fill="#2a2f3a"/>`
        : '';
    const titleAt = top + tileHeight + style.title + 3;
    return `${blank}${reason}<text x="${left + 2}" y="${titleAt}" font-size="${style.title}" font-weight="700" fill="#ffffff">${forXml(cut(tile.title, fits(style.title)))}</text><text x="${left + 2}" y="${titleAt + style.line + 6}" font-size="${style.line}" fill="#b9c2d0">${forXml(cut(tile.line, fits(style.line)))}</text>`;
  });
  const heading = `<text x="${GAP + 2}" y="${Math.round(style.head * 0.66)}" font-size="${style.heading}" font-weight="700" fill="#ffffff">${forXml(cut(title, fits(style.heading, width)))}</text>`;
  const between = strip?.draw({ left: GAP, top: style.head, width: width - 2 * GAP }) ?? '';
  const words = drawn(width, height, heading + between + labels.join(''));
  const pictures = tiles.flatMap(({ jpeg }, i) => (jpeg === null ? [] : [{ jpeg, ...at(i) }]));
  const scaled = await Promise.all(
    pictures.map(async ({ jpeg: input, ...place }) => {
      const { data, info } = await sharp(input)
        .resize(tileWidth, tileHeight, { fit: 'contain', background: '#000000' })
        .toColourspace('srgb')
        .raw()
        .toBuffer({ resolveWithObject: true });
      return { input: data, raw: info, ...place };
    }),
  );
  return { jpeg: await sheetOf(width, height, [...scaled, words], 82), width, height };
}
