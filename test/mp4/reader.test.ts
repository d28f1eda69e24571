import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Fragment, StreamInit } from '../../media/fragment.js';
import { box, boxesIn, u32 } from '../../media/mp4/box.js';
import { Mp4Error } from '../../media/mp4/error.js';
import { readMoof } from '../../media/mp4/moof.js';
import { movieOf, readInit } from '../../media/mp4/movie.js';
import { FragmentReader } from '../../media/mp4/reader.js';
import { readStream, shoot } from './footage.js';

let plain: Buffer;
let sounding: Buffer;
let hevc: Buffer;

beforeAll(async () => {
  [plain, sounding, hevc] = await Promise.all([
    shoot({ seconds: 6 }),
    shoot({ seconds: 3, audio: 'aac', bFrames: 2 }),
    shoot({ seconds: 3, codec: 'libx265' }),
  ]);
});

const collect = (now = () => 0) => {
  const got: { inits: StreamInit[]; fragments: Fragment[] } = { inits: [], fragments: [] };
  const reader = new FragmentReader(
    {
      init: (init) => got.inits.push(init),
      fragment: (one) => got.fragments.push({ ...one, bytes: Buffer.from(one.bytes) }),
    },
    { now },
  );
  return { reader, ...got };
};

const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex');

/** Top-level boxes of a stream, with where they end. */
const ends = (bytes: Buffer) => {
  let end = 0;
  return boxesIn(bytes).map(({ type, whole }) => {
    end += whole.length;
    return { type, end };
  });
};

describe('the fragment reader', () => {
  it('tells codec, size and timescale of H.264 and H.265, and notes the sound', () => {
    expect(readStream(plain).init).toMatchObject({
      codec: expect.stringMatching(/^avc1\.[0-9a-f]{6}$/),
      width: 320,
      height: 180,
      audio: null,
    });
    expect(readStream(hevc).init.codec).toMatch(/^hev1\.1\.6\.L\d+\.90$/);
    expect(readStream(sounding).init.audio).toMatchObject({ codec: 'mp4a.40.2', timescale: 16_000 });
  });

  it('gives fragments that follow one another without a hole, keyframes every two seconds', () => {
    const { init, fragments } = readStream(plain);
    expect(fragments.reduce((sum, fragment) => sum + fragment.samples, 0)).toBe(90);
    let at = 0n;
    for (const fragment of fragments) {
      expect(fragment.startTicks).toBe(at);
      expect(fragment.durationTicks / init.timescale).toBeLessThanOrEqual(0.6);
      expect(fragment.key).toBe(Number(at) % (2 * init.timescale) === 0);
      at += BigInt(fragment.durationTicks);
    }
    expect(Number(at) / init.timescale).toBeCloseTo(6, 3);
  });

  it('gives back every byte of moof and mdat', () => {
    const { init, fragments } = readStream(plain);
    const whole = Buffer.concat([init.bytes, ...fragments.map((fragment) => fragment.bytes)]);
    expect(whole.equals(plain.subarray(0, whole.length))).toBe(true);
  });

  it('stamps a fragment when its last byte is in, not before', () => {
    let clock = 1;
    const { reader, fragments } = collect(() => clock);
    const firstEnd = ends(plain).find(({ type }) => type === 'mdat')!.end;
    reader.push(plain.subarray(0, firstEnd - 1));
    expect(fragments).toHaveLength(0);
    clock = 2;
    reader.push(plain.subarray(firstEnd - 1, firstEnd));
    expect(fragments[0]!.arrivedMs).toBe(2);
  });

  it('does not care how the stream is cut into chunks', () => {
    const whole = readStream(sounding, sounding.length);
    const strip = (fragments: Fragment[]) =>
      fragments.map(({ bytes, ...told }) => ({ ...told, arrivedMs: 0, md5: md5(bytes) }));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 40 }), (sizes) => {
        const { reader, inits, fragments } = collect();
        for (let at = 0, i = 0; at < sounding.length; i++) {
          const size = sizes[i % sizes.length]!;
          reader.push(sounding.subarray(at, at + size));
          at += size;
        }
        expect(inits).toHaveLength(1);
        expect(inits[0]!.bytes.equals(whole.init.bytes)).toBe(true);
        expect(strip(fragments)).toEqual(strip(whole.fragments));
      }),
      { numRuns: 60 },
    );
    const byByte = readStream(sounding.subarray(0, 30_000), 1);
    expect(strip(byByte.fragments)).toEqual(strip(readStream(sounding.subarray(0, 30_000)).fragments));
  });

  it('passes over boxes it does not know, and takes 64-bit sizes', () => {
    const { reader, fragments } = collect();
    for (const { type, body, whole } of boxesIn(plain)) {
      if (type === 'moof')
        reader.push(Buffer.concat([box('prft', Buffer.alloc(24)), box('free', Buffer.alloc(70_000))]));
      const large = Buffer.concat([u32(1), Buffer.from(type), u32(0, whole.length + 8), body]);
      // offsets count from the moof: in front of the pictures nothing may grow
      reader.push(type === 'moov' || type === 'ftyp' ? large : whole);
    }
    expect(fragments.map(({ samples }) => samples)).toEqual(
      readStream(plain).fragments.map(({ samples }) => samples),
    );
  });

  it('finds the key flag in tfhd, trun or trex', () => {
    const { init, fragments } = readStream(plain);
    const movie = movieOf(init);
    const key = fragments[0]!;
    const flagsOf = (fragment: Fragment, change: (moof: Buffer) => void, defaults = movie) => {
      const moof = Buffer.from(boxesIn(fragment.bytes)[0]!.whole);
      change(moof);
      return readMoof(moof, defaults)[0]!.keys;
    };
    expect(flagsOf(key, () => {})[0]).toBe(true);
    // without first-sample-flags the first sample is what tfhd says of all
    const noFirst = (moof: Buffer) => {
      const trun = moof.indexOf('trun');
      moof.writeUIntBE(moof.readUIntBE(trun + 5, 3) & ~0x4, trun + 5, 3);
      // the field that held them becomes the first sample's: shift what follows
      moof.copy(moof, trun + 16, trun + 20);
    };
    expect(flagsOf(key, noFirst)[0]).toBe(false);
    const allKeys = (moof: Buffer) => {
      const tfhd = moof.indexOf('tfhd');
      const flags = moof.readUIntBE(tfhd + 5, 3);
      const fields = [0x2, 0x8, 0x10].filter((bit) => flags & bit).length;
      if (flags & 0x20) moof.writeUInt32BE(0x2000000, tfhd + 12 + fields * 4);
    };
    expect(flagsOf(fragments[1]!, allKeys).every(Boolean)).toBe(true);
  });

  it('refuses what is no video, too large or no MP4 at all, by name', () => {
    const fault = (bytes: Buffer) => {
      try {
        readStream(bytes);
      } catch (error) {
        return error instanceof Mp4Error ? error.fault : error;
      }
      return 'taken';
    };
    expect(fault(Buffer.from('HTTP/1.1 404 Not Found\r\n\r\n'))).toBe('bad-box');
    const moofAt = ends(plain).find(({ type }) => type === 'moov')!.end;
    const huge = Buffer.from(plain);
    huge.writeUInt32BE(0xffff_fff0, moofAt);
    expect(fault(huge)).toBe('too-big');
    huge.writeUInt32BE(3, moofAt);
    expect(fault(huge)).toBe('bad-box');
    expect(fault(plain.subarray(moofAt))).toBe('bad-box');
    const soundOnly = Buffer.from(plain);
    soundOnly.write('soun', soundOnly.indexOf('vide'));
    expect(fault(soundOnly)).toBe('not-video');
    const lying = Buffer.from(plain);
    lying.writeUInt32BE(0x7fff_ffff, lying.indexOf('trun') + 8);
    expect(fault(lying)).toBe('bad-box');
  });

  it('takes nothing more after it has refused', () => {
    const { reader, inits } = collect();
    expect(() => reader.push(Buffer.alloc(64))).toThrow(Mp4Error);
    expect(() => reader.push(plain)).toThrow(Mp4Error);
    expect(inits).toHaveLength(0);
  });

  it('never hangs or falls over on damaged bytes: fragments or an Mp4Error', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        (damage, inHeads) => {
          const bytes = Buffer.from(sounding);
          const heads = inHeads ? 1500 : bytes.length;
          for (const [at, value] of damage) bytes[at % heads] = value;
          const { reader } = collect();
          try {
            for (let at = 0; at < bytes.length; at += 4096) reader.push(bytes.subarray(at, at + 4096));
          } catch (error) {
            expect(error).toBeInstanceOf(Mp4Error);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('reads an init alone', () => {
    const end = ends(hevc).find(({ type }) => type === 'moov')!.end;
    expect(readInit(hevc.subarray(0, end)).width).toBe(320);
  });
});
