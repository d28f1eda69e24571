import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Bell } from '../bell.js';

const RETRY_MS = [30_000, 300_000, 900_000, 1_800_000, 3_600_000];

export interface Delivery {
  body: string;
  /** 0: the first try */
  retry: number;
  /** HTTP status; null: no answer within the limit */
  status: number | null;
  tookMs: number;
}

/** Tells an address of events: signed, within a limit, again and again, and then never more. */
export class WebhookSender {
  url: string | null = null;
  disabled = false;
  /** the time an event has to be answered */
  answerMs = 2000;
  /** the waits between tries, times this */
  retryScale = 1;
  /** held events wait until `release` */
  held: string[] | null = null;
  /** the first term of a signature is the app's id, or some say the OA's */
  signsBy: 'app' | 'oa' = 'app';
  readonly deliveries: Delivery[] = [];
  /** told of each event as it will be sent */
  onEmit: (body: string) => void = () => {};
  private readonly bell = new Bell();
  private readonly stopping = new AbortController();
  private open = 0;

  constructor(
    private readonly keys: { appId: string; oaId: string; secret: string },
    private readonly now: () => number,
  ) {}

  /** The console stores an address only when it answers 200. */
  async set(url: string): Promise<void> {
    const probe = await fetch(url, {
      method: 'POST',
      body: '{}',
      signal: AbortSignal.timeout(this.answerMs),
    });
    if (probe.status !== 200) throw new Error(`the webhook answered ${probe.status}, the console wants 200`);
    this.url = url;
    this.disabled = false;
  }

  sign(body: string, timestamp: string): string {
    const first = this.signsBy === 'app' ? this.keys.appId : this.keys.oaId;
    return createHash('sha256').update(`${first}${body}${timestamp}${this.keys.secret}`).digest('hex');
  }

  emit(event: Record<string, unknown>): void {
    const { event_name: name, timestamp: at = this.now(), ...rest } = event;
    const timestamp = String(at);
    const body = JSON.stringify({ event_name: name, app_id: this.keys.appId, ...rest, timestamp });
    this.onEmit(body);
    if (this.held !== null) this.held.push(body);
    else void this.deliver(body, timestamp);
  }

  /** Sends what was held. @param order how, default as it happened */
  release(order: (bodies: string[]) => string[] = (bodies) => bodies): void {
    const bodies = this.held ?? [];
    this.held = null;
    for (const body of order(bodies)) void this.resend(body);
  }

  /** Sends a body (again), signed. */
  resend(body: string): Promise<void> {
    return this.deliver(body, String((JSON.parse(body) as { timestamp: unknown }).timestamp));
  }

  private async deliver(body: string, timestamp: string): Promise<void> {
    this.open += 1;
    try {
      for (let retry = 0; this.url !== null && !this.disabled; retry += 1) {
        if (await this.post(this.url, body, this.sign(body, timestamp), retry)) return;
        const wait = RETRY_MS[retry];
        if (wait === undefined) this.disabled = true;
        else await pause(wait * this.retryScale, undefined, { signal: this.stopping.signal });
      }
    } catch {
      // the stand-in ends
    } finally {
      this.open -= 1;
      this.bell.ring();
    }
  }

  private async post(url: string, body: string, mac: string, retry: number): Promise<boolean> {
    const begunMs = performance.now();
    let status: number | null = null;
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-zevent-signature': `mac=${mac}`,
          ...(retry === 0 ? {} : { num_retry: String(retry) }),
        },
        body,
        signal: AbortSignal.any([AbortSignal.timeout(this.answerMs), this.stopping.signal]),
      });
      await response.arrayBuffer();
      status = response.status;
    } catch {
      // no answer
    }
    this.deliveries.push({ body, retry, status, tookMs: performance.now() - begunMs });
    this.bell.ring();
    return status === 200;
  }

  /** Resolves when nothing is on its way any more. */
  async idle(timeoutMs = 10_000): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs);
    while (this.open > 0) {
      if (signal.aborted) throw new Error(`${this.open} events are still on their way`);
      await this.bell.next(signal);
    }
  }

  stop() {
    this.stopping.abort();
  }
}
