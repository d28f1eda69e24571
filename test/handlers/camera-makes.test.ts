import { describe, expect, it } from 'vitest';
import {
  addressesOf,
  MAKES,
  readDevice,
  readPlace,
  withLogin,
} from '../../handlers/commands/camera-makes.js';

describe('makes and their paths', () => {
  it.each([
    ['Hikvision', 1, '/Streaming/Channels/101', '/Streaming/Channels/102'],
    ['Hikvision', 17, '/Streaming/Channels/1701', '/Streaming/Channels/1702'],
    ['Dahua', 3, '/cam/realmonitor?channel=3&subtype=0', '/cam/realmonitor?channel=3&subtype=1'],
    ['KBVision', 1, '/cam/realmonitor?channel=1&subtype=0', '/cam/realmonitor?channel=1&subtype=1'],
    ['Imou', 1, '/cam/realmonitor?channel=1&subtype=0', '/cam/realmonitor?channel=1&subtype=1'],
    ['Ezviz', 1, '/h264/ch1/main/av_stream', '/h264/ch1/sub/av_stream'],
    ['Tapo', 1, '/stream1', '/stream2'],
    ['Vigi', 1, '/stream1', '/stream2'],
    ['Uniview', 4, '/unicast/c4/s0/live', '/unicast/c4/s1/live'],
  ])('%s channel %i', (make, channel, main, sub) => {
    const host = 'nha.ddns.net';
    expect(addressesOf({ make, host, port: 8554, channel })).toEqual([
      { main: `rtsp://${host}:8554${main}`, sub: `rtsp://${host}:8554${sub}` },
    ]);
  });

  it('none where the make has no channels; all, once each, where the make is not known', () => {
    expect(addressesOf({ make: 'Tapo', host: 'a.b', port: null, channel: 2 })).toEqual([]);
    const all = addressesOf({ make: 'khác', host: '10.0.0.1', port: null, channel: 1 });
    expect(all.length).toBe(5);
    expect(all[0]?.main).toBe('rtsp://10.0.0.1:554/Streaming/Channels/101');
  });

  it('is read from words', () => {
    const device = (text: string) => readDevice(text);
    expect(device('Cổng chợ Hikvision 192.168.1.64:8554 kênh 2')).toEqual({
      before: 'Cổng chợ',
      device: { make: 'Hikvision', host: '192.168.1.64', port: 8554, channel: 2 },
    });
    expect(device('Cầu hãng KB Vision IP nha.ddns.net')?.device).toMatchObject({
      make: 'KBVision',
      host: 'nha.ddns.net',
    });
    expect(device('tp-link 10.0.0.2')).toMatchObject({ before: '', device: { make: 'Vigi' } });
    for (const make of MAKES)
      for (const said of make.said) expect(device(`x ${said} 10.0.0.2`)?.device.make).toBe(make.name);
    expect([device('Ngã ba chợ'), device('Chỗ khác'), device('')]).toEqual([null, null, null]);
    expect(
      ['1.2.3.4', '1.2.3.4:99999', '1.2.3', '300.1.1.1', 'nha', 'a.vn:554', 'Hikvision.'].map(readPlace),
    ).toEqual([{ host: '1.2.3.4', port: null }, null, null, null, null, { host: 'a.vn', port: 554 }, null]);
    expect(withLogin('rtsp://h/x', 'a b', "p@:/'")).toBe('rtsp://a%20b:p%40%3A%2F%27@h/x');
  });
});
