import { expect, test } from 'vitest';
import { printUnit } from '../../src/bin/service.js';

test('the systemd unit starts node itself, comes back after any end, and stops the parent first', () => {
  const unit = printUnit({ folder: '/srv/mat than', node: '/usr/bin/node', user: 'congan' });
  expect(unit).toContain('ExecStart=/usr/bin/node "/srv/mat than/src/bin/start.mjs"');
  expect(unit).toContain('WorkingDirectory=/srv/mat\\x20than');
  expect(unit).toMatch(/^User=congan$/m);
  expect(unit).toMatch(/^Restart=always$/m);
  // the parent gets the signal and stops its services in order; only what is left is killed
  expect(unit).toMatch(/^KillMode=mixed$/m);
});
