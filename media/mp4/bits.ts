/** Bits of a NAL unit; reading beyond the end gives zeros. */
export class Bits {
  private at = 0;
  private readonly bytes: Buffer;

  constructor(nal: Buffer) {
    // what stands between two zero bytes and a small third is stuffing
    const kept: number[] = [];
    let zeros = 0;
    for (const byte of nal) {
      if (zeros >= 2 && byte === 3) {
        zeros = 0;
        continue;
      }
      zeros = byte === 0 ? zeros + 1 : 0;
      kept.push(byte);
    }
    this.bytes = Buffer.from(kept);
  }

  u(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.at++)
      value = value * 2 + (((this.bytes[this.at >> 3] ?? 0) >> (7 - (this.at & 7))) & 1);
    return value;
  }

  /** Exp-Golomb */
  ue(): number {
    let zeros = 0;
    while (zeros < 32 && this.u(1) === 0) zeros++;
    return 2 ** zeros - 1 + this.u(zeros);
  }

  se(): number {
    const code = this.ue();
    return code % 2 ? (code + 1) / 2 : -code / 2;
  }
}
