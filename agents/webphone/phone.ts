import { type Core, type Invitation, Inviter, type Session, SessionState, UserAgent } from 'sip.js';
import type { Identity } from '../identity.js';
import { ROLE } from '../record.js';
import { FOREIGN_CALLS } from '../rtp/identity.js';
import { Audio, type Speaker } from './audio.js';
import type { Host } from './host.js';
import { LegRecord } from './leg-record.js';
import { WebphoneRegistration } from './registration.js';

export interface PlacedCall {
  callNo: number;
  intendedMs: number;
  holdMs: number;
  to: Identity;
}

/** One sip.js user agent: registers over its WebSocket, calls, is called, and hangs up what it placed. */
export class Webphone {
  readonly registration: WebphoneRegistration;
  readonly #agent: UserAgent;
  readonly #speakers = new WeakMap<Session, Speaker>();
  /** What it placed and is not over; the number names the audio on both ends. */
  #placed: { callNo: number; inviter: Inviter; record: LegRecord } | null = null;
  #foreign = 0;
  /** Legs of both roles that are not over. */
  legsUp = 0;

  constructor(
    private readonly host: Host,
    readonly number: number,
    private readonly identity: Identity,
  ) {
    const { user, domain, password } = identity;
    const uri = UserAgent.makeURI(`sip:${user}@${domain}`)!;
    this.#agent = new UserAgent({
      uri,
      authorizationUsername: user,
      authorizationPassword: password,
      userAgentString: 'deadair webphone (sip.js)',
      transportOptions: { server: host.server, connectionTimeout: CONNECT_S, traceSip: false },
      // 180 is ours to send and to note.
      sendInitialProvisionalResponse: false,
      logBuiltinEnabled: false,
      sessionDescriptionHandlerFactory: (session) =>
        new Audio(host.media, host.ip, this.#speakers.get(session)!, host.nowUs, host.poke),
      delegate: {
        onInvite: (invitation) => this.#ring(invitation),
        onDisconnect: () => this.registration.lost(),
      },
    });
    this.registration = new WebphoneRegistration(host, number, this.#agent);
  }

  /** Number of the call that it is placing; -1: none. */
  get placing(): number {
    return this.#placed?.callNo ?? -1;
  }

  get user(): string {
    return this.identity.user;
  }

  /** False: there is no record for it. */
  place({ callNo, intendedMs, holdMs, to }: PlacedCall): boolean {
    const { host } = this;
    const slot = host.legs.take();
    if (slot < 0) return false;
    const inviter = new Inviter(this.#agent, UserAgent.makeURI(`sip:${to.user}@${to.domain}`)!);
    const record = this.#record(slot, { callNo, role: ROLE.CALLER, intendedMs, callId: inviter.request.callId });
    this.#speak(inviter, slot, callNo, ROLE.CALLER);
    this.#placed = { callNo, inviter, record };
    let cancelled = false;
    const patience = setTimeout(() => {
      if (!Number.isNaN(record.at('answeredMs')) || record.over) return;
      cancelled = true;
      inviter.cancel().catch((error: Error) => record.because(error.message));
    }, host.patienceMs);
    inviter.delegate = {
      onBye: (bye) => {
        record.mark('byeMs');
        record.note(bye.request);
        void bye.accept();
        record.end('dropped', 'them');
      },
    };
    this.#onTerminated(inviter, record, () => {
      clearTimeout(patience);
      if (!Number.isNaN(record.at('byeMs'))) return;
      record.end(cancelled ? 'cancelled' : Number.isNaN(record.at('answeredMs')) ? 'rejected' : 'dropped', 'us');
    });
    const sent = inviter.invite({
      requestDelegate: {
        onTrying: ({ message }) => record.provisional(message.statusCode ?? 100),
        onProgress: ({ message }) => record.provisional(message.statusCode ?? 180),
        onAccept: ({ message }) => {
          record.final(message.statusCode ?? 200);
          record.peer(message);
          record.mark('answeredMs');
          record.mark('ackedMs');
          record.mark('plannedEndMs', host.nowMs() + holdMs);
          setTimeout(() => this.#hangUp(inviter, record), holdMs);
        },
        onRedirect: ({ message }) => this.#refused(record, message, false),
        onReject: ({ message }) => this.#refused(record, message, cancelled),
      },
    });
    sent.catch((error: Error) => {
      record.because(error.message);
      record.end('rejected', 'us');
    });
    return true;
  }

  /** Ends what it placed: in order when it was answered, else by CANCEL. */
  hangUp(): void {
    if (this.#placed === null) return;
    const { inviter, record } = this.#placed;
    if (inviter.state === SessionState.Established) this.#hangUp(inviter, record);
    else if (inviter.state === SessionState.Establishing) {
      inviter.cancel().catch((error: Error) => record.because(error.message));
    }
  }

  async stop(): Promise<void> {
    this.registration.stop();
    await this.#agent.stop();
  }

  #refused(record: LegRecord, message: Core.IncomingResponseMessage, cancelled: boolean): void {
    record.mark('rejectedMs');
    record.note(message);
    // No Via: sip.js made it up, for nobody answered.
    const answered = message.hasHeader('via');
    if (answered) record.final(message.statusCode ?? 0);
    if (cancelled) record.end('cancelled', 'us');
    else record.end(answered ? 'rejected' : 'timeout', answered ? 'them' : 'timer');
  }

  #hangUp(inviter: Inviter, record: LegRecord): void {
    if (inviter.state !== SessionState.Established || record.over) return;
    record.mark('byeMs');
    const sent = inviter.bye({
      requestDelegate: {
        onAccept: ({ message }) => {
          record.byeAnswered(message.statusCode ?? 200);
          record.end('completed', 'us');
        },
        onReject: ({ message }) => {
          record.byeAnswered(message.hasHeader('via') ? (message.statusCode ?? 0) : 0);
          record.end('bye-failed', message.hasHeader('via') ? 'us' : 'timer');
        },
      },
    });
    sent.catch((error: Error) => {
      record.because(error.message);
      record.end('bye-failed', 'us');
    });
  }

  /** Somebody calls. */
  #ring(invitation: Invitation): void {
    const { host } = this;
    const slot = host.legs.take();
    if (slot < 0) {
      void invitation.reject({ statusCode: 503 });
      return;
    }
    const known = host.callOf(invitation.request.from.uri.user ?? '');
    const callNo = known >= 0 ? known : FOREIGN_CALLS + this.number * FOREIGN_EACH + this.#foreign++;
    const intendedMs = host.nowMs();
    const record = this.#record(slot, { callNo, role: ROLE.CALLEE, intendedMs, callId: invitation.request.callId });
    record.peer(invitation.request);
    this.#speak(invitation, slot, callNo, ROLE.CALLEE);
    invitation.delegate = {
      onAck: () => record.mark('ackedMs'),
      onBye: (bye) => {
        record.mark('byeMs');
        record.note(bye.request);
        void bye.accept();
        record.end('completed', 'them');
      },
      onCancel: () => record.end('cancelled-by-peer', 'them'),
    };
    this.#onTerminated(invitation, record, () => {
      const [answeredMs, ackedMs] = [record.at('answeredMs'), record.at('ackedMs')];
      if (Number.isNaN(answeredMs)) record.end('rejected', 'us');
      else record.end(Number.isNaN(ackedMs) ? 'no-ack' : 'dropped', Number.isNaN(ackedMs) ? 'timer' : 'us');
    });
    const failed = (error: Error): void => record.because(error.message);
    invitation.progress({ statusCode: 180 }).then(() => record.provisional(180), failed);
    setTimeout(() => {
      if (invitation.state !== SessionState.Initial) return;
      invitation.accept().then(() => {
        record.final(200);
        record.mark('answeredMs');
      }, failed);
    }, host.ringMs());
  }

  #record(slot: number, leg: { callNo: number; role: number; intendedMs: number; callId: string }): LegRecord {
    const { legs, nowMs, worker } = this.host;
    this.legsUp++;
    return new LegRecord(legs, slot, nowMs, { ...leg, worker });
  }

  #speak(session: Session, slot: number, callNo: number, role: number): void {
    this.#speakers.set(session, { slot, callNo, role, ssrc: this.host.chance.below(0xffffffff) });
  }

  /** `end` closes what no answer, BYE or CANCEL has closed: sip.js tells of them right after the state. */
  #onTerminated(session: Session, record: LegRecord, end: () => void): void {
    session.stateChange.addListener((state) => {
      if (state !== SessionState.Terminated) return;
      setImmediate(() => {
        if (!record.over) end();
        this.legsUp--;
        if (this.#placed?.record === record) this.#placed = null;
      });
    });
  }
}

const CONNECT_S = 5;
/** Calls of strangers to one webphone that have numbers of their own. */
const FOREIGN_EACH = 0x10000;
