/** Finds what is recorded around a moment in a segment file, reading little of the rest. */
import type { FileHandle } from 'node:fs/promises';
import type { StreamInit } from '../fragment.js';
import { Mp4Error } from './error.js';
import { type FileFragment, openingFrom, Reading } from './scan.js';
import { Window } from './window.js';

/** Consecutive fragments of a file, the first of them a key one at or before the moment. */
export interface Stretch {
  init: StreamInit;
  fragments: FileFragment[];
  /** of the file's first picture */
  firstTicks: bigint;
}

/** Frames are reordered over less than this, ms: the one shown at a moment may be decoded so much later. */
const REORDER_MS = 400;
/** One read has a fragment's boxes in it, and little of its pictures. */
const BOXES_BYTES = 4 * 1024;
/** Where a fragment begins is looked for in pieces of this. */
const LOOK_BYTES = 64 * 1024;
/** So far back from the moment a keyframe is looked for first, ms; then ever farther. */
const FIRST_BACK_MS = 4000;
const FARTHER = 4;
/** A guess within this before what is looked for is near enough, ms. */
const NEAR_MS = 1500;
const MOST_GUESSES = 12;

const ticksOf = (ms: number, { timescale }: StreamInit) => BigInt(Math.floor((ms * timescale) / 1000));

/**
 * The part of `fragments` (a whole file's, or some that follow each other) that matters to a moment: from the keyframe before it
 * until the frame shown then is in, and the next keyframe where that is nearer. Null: nothing can be shown there.
 */
export function cutAround(fragments: FileFragment[], at: bigint, init: StreamInit): FileFragment[] | null {
  const key = fragments.findLastIndex((one) => one.key && one.startTicks <= at);
  if (key < 0) return null;
  const keyTicks = fragments[key]!.startTicks;
  const cut: FileFragment[] = [];
  for (const fragment of fragments.slice(key)) {
    if (cut.length > 0 && fragment.afterHole && !fragment.key) break;
    cut.push(fragment);
    if (isEnough(fragment, keyTicks, at, init)) break;
  }
  return cut;
}

const isEnough = (last: FileFragment, keyTicks: bigint, at: bigint, init: StreamInit) =>
  last.startTicks > at + ticksOf(REORDER_MS, init) && (last.key || last.startTicks - at >= at - keyTicks);

/**
 * The same of a file that is not in memory: its head, a few guesses, and the boxes from the keyframe on.
 * @param atMs since the file's first picture
 * @param lengthMs of the file, for the guesses
 * @returns null where what it came across is damaged: the file must be scanned then
 */
export async function seekAround(
  handle: FileHandle,
  atMs: number,
  lengthMs: number,
): Promise<Stretch | null> {
  const seeking = await Seeking.begin(handle, lengthMs);
  if (seeking === null) return null;
  const { init, first } = seeking;
  const at = first.startTicks + ticksOf(Math.max(0, atMs), init);
  for (let backMs = FIRST_BACK_MS; ; backMs *= FARTHER) {
    const from = await seeking.before(at - ticksOf(backMs, init));
    const fragments = await seeking.walk(from, (all) => {
      const key = all.findLast((one) => one.key && one.startTicks <= at);
      const last = all.at(-1)!;
      return key === undefined ? last.startTicks > at : isEnough(last, key.startTicks, at, init);
    });
    const cut = fragments && cutAround(fragments, at, init);
    if (cut) return { init, fragments: cut, firstTicks: first.startTicks };
    if (fragments === null || from === first.offset) return null;
  }
}

class Seeking {
  private constructor(
    private readonly handle: FileHandle,
    private readonly sizeBytes: number,
    private readonly boxes: Window,
    readonly init: StreamInit,
    readonly first: FileFragment,
    private readonly endTicks: bigint,
  ) {}

  /** Reads the head and the first fragment; null where they are not as they should be. */
  static async begin(handle: FileHandle, lengthMs: number): Promise<Seeking | null> {
    const { size } = await handle.stat();
    const boxes = new Window(handle, size, BOXES_BYTES);
    const reading = new Reading(boxes, size);
    try {
      for (let at: number | null = 0; at !== null && at < size; at = await reading.box(at)) {
        const first = reading.fragments.find(({ samples }) => samples > 0);
        if (first === undefined || reading.init === null) continue;
        if (reading.isHurt || !first.key) return null;
        const endTicks = first.startTicks + ticksOf(lengthMs, reading.init);
        return new Seeking(handle, size, boxes, reading.init, first, endTicks);
      }
    } catch (error) {
      if (!(error instanceof Mp4Error)) throw error;
    }
    return null;
  }

  /** Fragments from `from` on until there are enough; null where something damaged is in the way. */
  async walk(from: number, enough: (all: FileFragment[]) => boolean): Promise<FileFragment[] | null> {
    const reading = new Reading(this.boxes, this.sizeBytes, this.init);
    let told = 0;
    for (let at = from; at < this.sizeBytes; ) {
      const next = await reading.box(at);
      if (next === null || reading.isHurt) return null;
      at = next;
      if (reading.fragments.length === told) continue;
      told = reading.fragments.length;
      if (reading.fragments.at(-1)!.samples > 0 && enough(reading.fragments)) break;
    }
    return reading.fragments;
  }

  /** Where a fragment begins that starts at or before `ticks` and not long before; by guesses at the pace of the file. */
  async before(ticks: bigint): Promise<number> {
    const near = ticksOf(NEAR_MS, this.init);
    let low = { at: this.first.offset, ticks: this.first.startTicks };
    let high = { at: this.sizeBytes, ticks: this.endTicks };
    const aim = ticks - near / 2n;
    const looks = new Window(this.handle, this.sizeBytes, LOOK_BYTES);
    for (let i = 0; i < MOST_GUESSES && ticks - low.ticks > near && high.at - low.at > LOOK_BYTES; i++) {
      const share = Number(aim - low.ticks) / Math.max(1, Number(high.ticks - low.ticks));
      const from = low.at + 1 + Math.floor((high.at - low.at - 1) * Math.min(0.98, Math.max(0.02, share)));
      const found = await this.fragmentFrom(looks, from, high.at);
      if (found !== null && found.ticks <= ticks) low = found;
      else high = { at: from, ticks: found?.ticks ?? high.ticks };
    }
    return low.at;
  }

  /** The first fragment with pictures that begins in this stretch of the file. */
  private async fragmentFrom(looks: Window, from: number, to: number) {
    for (let at = from; at < to; at++) {
      const opening = await openingFrom(looks, at, to, LOOK_BYTES);
      if (opening === null || opening >= to) return null;
      const [fragment] = (await this.walk(opening, () => true)) ?? [];
      if (fragment !== undefined && fragment.samples > 0) return { at: opening, ticks: fragment.startTicks };
      at = opening;
    }
    return null;
  }
}
