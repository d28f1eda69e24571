import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { loadWebhook } from '../../bench/zalo-webhook.js';
import { projectRoot } from '../support/project-root.js';

beforeAll(() => {
  const built = spawnSync(process.execPath, [path.join(projectRoot, 'src/bin/build.mjs')], {
    encoding: 'utf8',
  });
  expect(built.status, built.stderr).toBe(0);
}, 120_000);

it('events by the hundred: each confirmed is in the inbox exactly once after kill -9', async () => {
  const load = await loadWebhook({ perSecond: 200, seconds: 3, workOff: false });
  expect(load).toMatchObject({ events: 600, missing: 0, surplus: 0 });
  expect(load.posts).toBeGreaterThanOrEqual(630);
}, 120_000);
