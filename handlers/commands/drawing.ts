import { createRequire } from 'node:module';
import { Resvg } from '@resvg/resvg-js';
import sharp, { type OverlayOptions } from 'sharp';

const FONTS = ['400Regular/BeVietnamPro_400Regular.ttf', '700Bold/BeVietnamPro_700Bold.ttf'].map((file) =>
  createRequire(import.meta.url).resolve(`@expo-google-fonts/be-vietnam-pro/${file}`),
);

/** A text as it may stand in SVG. */
export const forXml = (text: string) =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/[^\P{C}\n]/gu, '');

/** Cuts a text to about so many letters, at a word if one is near. */
export const cut = (text: string, most: number) =>
  text.length <= most ? text : `${text.slice(0, most - 1).trimEnd()}…`;

/** Draws shapes and words (SVG elements) in this size, with marks as Vietnamese has them on every machine; to be laid over. */
export function drawn(width: number, height: number, elements: string): OverlayOptions {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="Be Vietnam Pro">${elements}</svg>`;
  const { pixels } = new Resvg(svg, {
    font: { fontFiles: FONTS, loadSystemFonts: false, defaultFontFamily: 'Be Vietnam Pro' },
  }).render();
  // as they are: to pack them as PNG and unpack them again takes longer than to draw them
  return { input: pixels, raw: { width, height, channels: 4 }, premultiplied: true, left: 0, top: 0 };
}

/** Lays what is drawn and pictures over the dark ground of all our sheets. */
export function sheetOf(
  width: number,
  height: number,
  layers: OverlayOptions[],
  quality: number,
): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: '#14181f' } })
    .composite(layers)
    .jpeg({ quality })
    .toBuffer();
}
