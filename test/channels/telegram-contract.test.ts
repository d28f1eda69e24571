import { describeChannelContract } from './contract.js';
import { makeTelegramFixture } from './telegram-fixture.js';

describeChannelContract('Telegram', makeTelegramFixture);
