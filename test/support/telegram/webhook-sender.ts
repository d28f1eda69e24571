import http from 'node:http';
import type { TgUpdate } from './types.js';
import type { World } from './world.js';

/** One post of an update, and how it was answered; status 0 = not at all. */
export interface Post {
  update: TgUpdate;
  status: number;
}

/**
 * Posts updates to the bot's webhook as Telegram does: one after another, the secret in a header, again and again until
 * it hears a 2xx.
 * @param reach where the webhook's public name really leads (what a proxy with a certificate does in life)
 */
export class WebhookSender {
  readonly posts: Post[] = [];
  /** post each update once more although it was taken, as happens when an answer gets lost */
  twice = false;
  private readonly ending = new AbortController();

  constructor(
    private readonly world: World,
    private readonly reach: () => string,
    private readonly retryMs = 50,
  ) {
    void this.run();
  }

  stop() {
    this.ending.abort();
  }

  private async run(): Promise<void> {
    const { world, ending } = this;
    while (!ending.signal.aborted) {
      const update = world.updates[0];
      if (world.webhook === '' || update === undefined) {
        await world.untilUpdate(ending.signal);
        continue;
      }
      const status = await this.post(update);
      this.posts.push({ update, status });
      if (status >= 200 && status < 300) {
        if (this.twice) this.posts.push({ update, status: await this.post(update) });
        if (world.updates[0] === update) world.updates.shift();
        continue;
      }
      const message = status === 0 ? 'Connection refused' : `Wrong response from the webhook: ${status}`;
      world.webhookError = { date: world.seconds(), message };
      await new Promise((resolve) => setTimeout(resolve, this.retryMs));
    }
  }

  private post(update: TgUpdate): Promise<number> {
    const url = new URL(this.world.webhook);
    const headers = {
      host: url.host,
      'content-type': 'application/json',
      ...(this.world.webhookSecret === ''
        ? {}
        : { 'x-telegram-bot-api-secret-token': this.world.webhookSecret }),
    };
    return new Promise((resolve) => {
      const request = http.request(
        new URL(url.pathname, this.reach()),
        { method: 'POST', headers, agent: false },
        (response) => {
          response.resume();
          response.on('close', () => resolve(response.statusCode ?? 0));
        },
      );
      request.on('error', () => resolve(0));
      request.end(JSON.stringify(update));
    });
  }
}
