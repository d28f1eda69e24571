/** Silent AAC-LC, made by hand (ISO/IEC 14496-3): an MP4 without sound is taken for an animation by Telegram. */
import { box, fullBox, u16, u32 } from './box.js';

export const SILENCE_RATE = 44_100;
/** Samples of one AAC-LC frame. */
export const AAC_FRAME = 1024;

/** A raw data block with no spectrum at all: zero bands, zero gain. */
export function silentFrame(channels: 1 | 2): Buffer {
  const ics = `0${'00'}0${'000000'}0`; // reserved, one long window, its shape, max_sfb 0, no prediction
  const stream = `${'00000000'}%000`; // gain, (ics_info), no pulses, no noise shaping, no gain control
  const element =
    channels === 1
      ? `000${'0000'}${stream.replace('%', ics)}`
      : `001${'0000'}1${ics}00${stream.replace('%', '').repeat(2)}`;
  const bits = `${element}111`;
  const bytes = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0').match(/.{8}/g)!;
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
}

/** Sample entry of the silent track: mono, 44.1 kHz. */
export function silentEntry(): Buffer {
  // AAC-LC (2), 44.1 kHz (index 4), one channel
  const specific = Buffer.from([0x12, 0x08]);
  const decoderSpecific = descriptor(5, specific);
  const decoderConfig = descriptor(
    4,
    Buffer.from([0x40, 0x15, 0, 0, 0]), // MPEG-4 sound, audio stream, buffer size
    u32(2048, 2048), // most and mean bit rate
    decoderSpecific,
  );
  const esds = fullBox(
    'esds',
    0,
    0,
    descriptor(3, u16(2), Buffer.from([0]), decoderConfig, descriptor(6, Buffer.from([2]))),
  );
  return box(
    'mp4a',
    Buffer.alloc(6),
    u16(1), // data reference
    Buffer.alloc(8),
    u16(1, 16), // channels, bits
    Buffer.alloc(4),
    u32(SILENCE_RATE * 65_536),
    esds,
  );
}

function descriptor(tag: number, ...body: Buffer[]): Buffer {
  const content = Buffer.concat(body);
  return Buffer.concat([Buffer.from([tag, content.length]), content]);
}
