/**
 * A bot to be killed: the real token keeper and client, calling Zalo again and again. It tells its parent of each call
 * that came through and of each trouble. Arguments: the root of the stand-in, the data folder, the compiled child.
 */
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { makeOaClient } from '../../src/channels/zalo/api/oa.js';
import { makeTokenKeeper } from '../../src/channels/zalo/tokens/keeper.js';
import { QUICK, SECRET_KEY, TORTURED_APP } from './zalo-tokens-settings.js';

const [root, dataDir, script] = process.argv.slice(2) as [string, string, string];
const log = pino({ level: 'silent' });
const keeper = makeTokenKeeper({
  dataDir,
  secretKey: SECRET_KEY,
  oauth: { root, ...TORTURED_APP },
  log,
  script,
  pauses: QUICK,
  onTrouble: async (trouble) => {
    process.send!({ trouble });
  },
});
const client = makeOaClient({ root, tokens: keeper, log, timeoutMs: 3000 });

process.on('disconnect', () => process.exit(0));
process.on('error', () => process.exit(0));
process.send!({ ready: true });
keeper.start(new AbortController().signal);
for (;;) {
  await client.oa().then(
    () => process.send!({ called: true }),
    () => {},
  );
  await pause(5);
}
