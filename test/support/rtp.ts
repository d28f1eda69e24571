/** RTP as cameras send it: packets of H.264 (RFC 6184), H.265 (RFC 7798) and G.711, and the SDP that announces them. */
import { type Codec, type ElementaryStream, nalType } from './annexb.js';

/** Largest RTP payload; what fits an Ethernet frame. */
const PAYLOAD = 1400;

/** Payloads of one NAL unit: itself, or its fragmentation units. */
export function packetize(codec: Codec, nal: Buffer): Buffer[] {
  if (nal.length <= PAYLOAD) return [nal];
  const head = codec === 'h264' ? 1 : 2;
  const type = nalType(codec, nal);
  const parts: Buffer[] = [];
  for (let at = head; at < nal.length; at += PAYLOAD - head - 1) {
    const body = nal.subarray(at, at + PAYLOAD - head - 1);
    const flags = (at === head ? 0x80 : 0) | (at + body.length === nal.length ? 0x40 : 0) | type;
    const header =
      codec === 'h264'
        ? Buffer.from([(nal[0]! & 0xe0) | 28, flags])
        : Buffer.from([(nal[0]! & 0x81) | (49 << 1), nal[1]!, flags]);
    parts.push(Buffer.concat([header, body]));
  }
  return parts;
}

/** One RTP track of one viewer: its own sequence numbers and time base, as RFC 3550 asks. */
export class RtpTrack {
  private sequence = Math.floor(Math.random() * 65_536);
  private readonly base = Math.floor(Math.random() * 2 ** 31);
  private readonly ssrc = Math.floor(Math.random() * 2 ** 32);
  private packets = 0;
  private octets = 0;

  constructor(
    /** interleaved channel; RTCP goes on the next */
    private readonly channel: number,
    private readonly payloadType: number,
    private readonly clockRate: number,
  ) {}

  get nextSequence(): number {
    return this.sequence;
  }

  /** Media time (seconds since the server's start) as RTP ticks. */
  ticks(mediaSeconds: number): number {
    const ticks = this.base + Math.round(mediaSeconds * this.clockRate);
    return ((ticks % 2 ** 32) + 2 ** 32) % 2 ** 32;
  }

  /** An RTP packet, framed for the RTSP connection. */
  packet(payload: Buffer, mediaSeconds: number, marker: boolean): Buffer {
    const bytes = Buffer.alloc(16 + payload.length);
    bytes[0] = 0x24;
    bytes[1] = this.channel;
    bytes.writeUInt16BE(12 + payload.length, 2);
    bytes[4] = 0x80;
    bytes[5] = this.payloadType | (marker ? 0x80 : 0);
    bytes.writeUInt16BE(this.sequence, 6);
    bytes.writeUInt32BE(this.ticks(mediaSeconds), 8);
    bytes.writeUInt32BE(this.ssrc, 12);
    payload.copy(bytes, 16);
    this.sequence = (this.sequence + 1) % 65_536;
    this.packets++;
    this.octets += payload.length;
    return bytes;
  }

  /** An RTCP sender report: the camera's own idea of the time, framed for the RTSP connection. */
  senderReport(mediaSeconds: number, cameraMs: number): Buffer {
    const bytes = Buffer.alloc(4 + 28);
    bytes[0] = 0x24;
    bytes[1] = this.channel + 1;
    bytes.writeUInt16BE(28, 2);
    bytes[4] = 0x80;
    bytes[5] = 200;
    bytes.writeUInt16BE(6, 6);
    bytes.writeUInt32BE(this.ssrc, 8);
    bytes.writeUInt32BE(Math.floor(cameraMs / 1000) + 2_208_988_800, 12);
    bytes.writeUInt32BE(Math.floor(((cameraMs % 1000) / 1000) * 2 ** 32), 16);
    bytes.writeUInt32BE(this.ticks(mediaSeconds), 20);
    bytes.writeUInt32BE(this.packets % 2 ** 32, 24);
    bytes.writeUInt32BE(this.octets % 2 ** 32, 28);
    return bytes;
  }
}

function videoFormat(codec: Codec, { parameterSets }: ElementaryStream): string[] {
  const base64 = parameterSets.map((nal) => nal.toString('base64'));
  if (codec === 'hevc') {
    const [vps, sps, pps] = base64;
    return ['a=rtpmap:96 H265/90000', `a=fmtp:96 sprop-vps=${vps};sprop-sps=${sps};sprop-pps=${pps}`];
  }
  const profile = parameterSets[0]!.subarray(1, 4).toString('hex').toUpperCase();
  return [
    'a=rtpmap:96 H264/90000',
    `a=fmtp:96 packetization-mode=1;profile-level-id=${profile};sprop-parameter-sets=${base64.join(',')}`,
  ];
}

/** What DESCRIBE answers. */
export function describeStream(options: {
  codec: Codec;
  stream: ElementaryStream;
  fps: number;
  video: boolean;
  audio: boolean;
}): string {
  const lines = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=Camera', 'c=IN IP4 0.0.0.0', 't=0 0', 'a=control:*'];
  if (options.video) {
    lines.push('m=video 0 RTP/AVP 96', ...videoFormat(options.codec, options.stream));
    lines.push(`a=framerate:${options.fps}`, 'a=control:trackID=0');
  }
  if (options.audio) lines.push('m=audio 0 RTP/AVP 8', 'a=rtpmap:8 PCMA/8000', 'a=control:trackID=1');
  return `${lines.join('\r\n')}\r\n`;
}

/** 40 ms of a 500 Hz tone as G.711 A-law at 8 kHz. */
export const TONE = (() => {
  const samples = Buffer.alloc(320);
  for (let i = 0; i < samples.length; i++) {
    const value = Math.round(Math.sin((2 * Math.PI * 500 * i) / 8000) * 6000);
    let code = Math.abs(value) >> 4;
    if (code > 15) {
      let exponent = 1;
      for (; code > 31; exponent++) code >>= 1;
      code = code - 16 + (exponent << 4);
    }
    samples[i] = (value >= 0 ? code | 0x80 : code) ^ 0x55;
  }
  return samples;
})();
