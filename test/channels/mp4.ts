const box = (type: string, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, body]);
};

const track = (handler: 'vide' | 'soun') => {
  const hdlr = Buffer.alloc(25);
  hdlr.write(handler, 8, 'latin1');
  return box('trak', box('mdia', box('hdlr', hdlr)));
};

/** The frame of an MP4 that names its tracks and holds no pictures: enough for what a platform looks at. */
export function makeMp4({ sound }: { sound: boolean }): Buffer {
  const tracks = sound ? [track('vide'), track('soun')] : [track('vide')];
  return Buffer.concat([
    box('ftyp', Buffer.from('isom\0\0\0\x01isom', 'latin1')),
    box('moov', ...tracks),
    box('mdat', Buffer.alloc(4096, 1)),
  ]);
}
