// What is known of the last two minutes, by the server's clock: its history, and what
// came since.

import { windowMs } from "./chart.js";

const measured = (v) => (v > 0 ? v : null);

const oneSample = (t, o) => ({ t, ...o });

export class Past {
  samples = []; // {t, sessions, ...}, or {t, lost: true}; oldest first
  events = []; // as the API has them, with from and to as milliseconds
  delays = []; // between the server's clock and the time here that its last samples came

  // now is the server's time.
  now() {
    return Date.now() - (this.delays.length ? Math.min(...this.delays) : 0);
  }

  // status takes in one that has not been seen yet, and the one before it.
  status(s, before) {
    const t = Math.floor(Date.parse(s.taken_at));
    this.delays = [...this.delays, Date.now() - t].slice(-5);
    const seconds = before ? (Date.parse(s.taken_at) - Date.parse(before.taken_at)) / 1000 : 0;
    const same = before?.started_at === s.started_at && seconds > 0;
    if (before && before.started_at !== s.started_at) this.add({ t: Date.parse(s.started_at) - 1, lost: true });
    this.add(oneSample(t, {
      sessions: s.total.sessions,
      deliveries: s.total.deliveries_per_second,
      p50: measured(s.total.latency_p50_seconds),
      p99: measured(s.total.latency_p99_seconds),
      backlog: s.total.backlog_bytes,
      memory: s.resident_bytes,
      cpus: same ? Math.max(0, s.cpu_seconds - before.cpu_seconds) / seconds : null,
    }));
  }

  // history takes the place of all that it covers.
  history({ samples: h, events }) {
    const at = h.at_ms ?? [];
    if (at.length) {
      const all = at.map((t, i) => oneSample(t, {
        sessions: h.sessions[i],
        deliveries: h.deliveries_per_second[i],
        p50: measured(h.latency_p50_seconds[i]),
        p99: measured(h.latency_p99_seconds[i]),
        backlog: h.backlog_bytes[i],
        memory: h.resident_bytes[i],
        cpus: i === 0 ? null : h.cpus[i],
      }));
      const first = at[0], last = at.at(-1);
      if (!this.delays.length) this.delays = [Date.now() - last];
      this.samples = [...this.samples.filter((s) => s.t < first), ...all, ...this.samples.filter((s) => s.t > last)];
    }
    this.events = (events ?? []).map((e) => ({ ...e, from: Date.parse(e.from), to: Date.parse(e.to) }));
  }

  // lost records that the server did not answer.
  lost() {
    if (this.samples.length) this.add({ t: this.now(), lost: true });
  }

  add(sample) {
    this.samples = this.samples.filter((s) => s.t !== sample.t && s.t > sample.t - windowMs - 5_000);
    this.samples.push(sample);
    this.samples.sort((a, b) => a.t - b.t);
  }
}
