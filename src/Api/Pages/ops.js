// The operations page: asks /api/ops every second and draws what it says. No library, no build step.
'use strict';

const PERIOD = 1000;
const PATIENCE = 8000;
const HISTORY = 120; // Seconds of the graph.

const state = {
  view: 'queues', open: new Set(), runs: new Map(), more: new Map(), pages: new Map(),
  queues: null, servers: null, jobs: null, list: null, listOf: null,
  lastAnswer: null, failingSince: null, problem: null, beat: 0,
};

// ---- talking to the control plane -------------------------------------------------------------------------------

class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? problem?.title ?? `HTTP ${status}`);
    this.status = status;
  }
}

async function ask(path, method = 'GET') {
  const headers = { Accept: 'application/json' };
  const key = sessionStorage.getItem('fog-api-key');
  if (key) headers.Authorization = `Bearer ${key}`;
  const answer = await fetch(path, { method, headers, cache: 'no-store', credentials: 'same-origin', signal: AbortSignal.timeout(PATIENCE) });
  const text = await answer.text();
  let body = null;
  try { body = text ? JSON.parse(text) : null; } catch { body = null; }
  if (!answer.ok) throw new Refused(answer.status, body);
  return body;
}

const api = {
  queues: () => ask('/api/ops/queues'),
  servers: () => ask('/api/ops/servers'),
  jobs: () => ask('/api/ops/jobs'),
  runs: (name, cursor) => ask(`/api/ops/jobs/${encodeURIComponent(name)}/runs?limit=25${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`),
  failures: (cursor) => ask(`/api/ops/failures?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`),
  tasks: (view) => ask(`/api/ops/tasks?view=${encodeURIComponent(view)}&limit=100`),
  trigger: (name) => ask(`/api/ops/jobs/${encodeURIComponent(name)}/trigger`, 'POST'),
  pause: (name) => ask(`/api/ops/jobs/${encodeURIComponent(name)}/pause`, 'POST'),
  resume: (name) => ask(`/api/ops/jobs/${encodeURIComponent(name)}/resume`, 'POST'),
};

// ---- small helpers ----------------------------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else node.setAttribute(name === 'className' ? 'class' : name, value === true ? '' : value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const count = (n) => n === null || n === undefined ? '–' : n < 100_000 ? n.toLocaleString('en') : n < 1e6 ? `${(n / 1e3).toFixed(0)} k` : `${(n / 1e6).toFixed(n < 1e7 ? 2 : 1)} M`;

function span(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  const s = Math.max(0, seconds);
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${Number(s.toFixed(1))} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

const millis = (ms) => ms === null || ms === undefined ? '–' : ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : span(ms / 1000);

/** Seconds since a time; the server's clock where it is known. */
function since(at) {
  return (now() - Date.parse(at)) / 1000;
}

let skew = 0;
const now = () => Date.now() + skew;

function ago(at, missing = '–') {
  return at ? el('time', { datetime: at, title: new Date(at).toLocaleString(), className: 'nowrap' }, since(at) < 1 ? 'now' : `${span(since(at))} ago`) : missing;
}

function ahead(at) {
  const left = -since(at);
  return el('time', { datetime: at, title: new Date(at).toLocaleString(), className: 'nowrap' }, left <= 0.5 ? 'now' : `in ${span(left)}`);
}

const pill = (text, tone = '') => el('span', { className: `pill ${tone}` }, text);
const words = (code) => code.replaceAll('_', ' ').replace(/:(?=\S)/, ': ');
const tones = {
  succeeded: 'good', accepted: 'good', failed: 'bad', crashed: 'bad', rejected: 'bad', timed_out: 'bad', expired: 'bad', lost: 'warn', evicted: 'warn', declined: 'warn', preempted: 'warn',
  retried: 'busy', final: 'bad', cancelled: '', interrupted: 'warn', running: 'busy', uploading: 'busy', staging: 'accent', leased: 'accent', queued: 'accent', manual: 'accent', signal: 'busy', period: '',
};

function toast(text, bad = false) {
  const node = el('div', { className: bad ? 'toast bad' : 'toast' }, text);
  $('toasts').append(node);
  setTimeout(() => node.remove(), bad ? 7000 : 3500);
}

function empty(title, text) {
  const tick = svg('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, svg('circle', { cx: 12, cy: 12, r: 9 }), svg('path', { d: 'M8 12.5l2.7 2.7L16 9.5' }));
  return el('div', { className: 'empty' }, tick, el('strong', {}, title), text);
}

function spark(durations, options = {}) {
  const { width = 96, height = 24, bad = [] } = options;
  const most = Math.max(...durations, 1e-9);
  const step = width / Math.max(durations.length, options.slots ?? 24);
  const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, class: options.big ? 'spark big' : 'spark', preserveAspectRatio: 'none', role: 'img', 'aria-label': `Durations of the last ${durations.length} runs, up to ${millis(most)}` });
  durations.forEach((d, i) => {
    const tall = Math.max(1.5, (d / most) * (height - 2));
    picture.append(svg('rect', { x: width - (durations.length - i) * step, y: height - tall, width: Math.max(1, step - 1), height: tall, rx: 1, class: bad[i] ? 'bad' : '' }));
  });
  return picture;
}

/** Keeps the focus over a redraw: the same button is focused again. */
function redraw(parent, build) {
  const key = document.activeElement?.closest?.('[data-key]')?.dataset.key;
  const scrolls = [...parent.querySelectorAll('[data-scroll]')].map((n) => [n.dataset.scroll, n.scrollTop]);
  const opened = new Set([...parent.querySelectorAll('details[open][data-key]')].map((n) => n.dataset.key));
  parent.replaceChildren(...[build()].flat().filter(Boolean));
  for (const details of parent.querySelectorAll('details[data-key]')) if (opened.has(details.dataset.key)) details.open = true;
  for (const [name, top] of scrolls) {
    const node = parent.querySelector(`[data-scroll="${CSS.escape(name)}"]`);
    if (node) node.scrollTop = top;
  }
  if (key) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

function head(title, note) {
  return el('div', { className: 'card-head' }, el('h2', {}, title), el('p', {}, note ?? ''));
}

function table(columns, rows) {
  return el('div', { className: 'scroll' }, el('table', {},
    el('thead', {}, el('tr', {}, columns.map((c) => el('th', { scope: 'col', className: c.startsWith('>') ? 'num' : null }, c.replace(/^>/, ''))))),
    el('tbody', {}, rows)));
}

const cell = (...content) => el('td', {}, ...content);
const number = (...content) => el('td', { className: 'num' }, ...content);
const jobCell = (task) => cell(el('strong', {}, task.jobName), task.taskIndex === null || task.taskIndex === undefined ? '' : el('span', { className: 'dim' }, ` #${task.taskIndex}`), el('div', { className: 'mono dim' }, task.jobId));

function expander(id, label) {
  return el('button', {
    type: 'button', className: 'link', 'data-key': `open-${id}`, 'aria-expanded': String(state.open.has(id)),
    on: { click: () => { if (!state.open.delete(id)) state.open.add(id); state.runs.delete(id); draw(); beatSoon(); } },
  }, label);
}

// ---- the views --------------------------------------------------------------------------------------------------

const reasons = {
  ready: ['Ready', 'wait for a device with room'],
  retry_backoff: ['Retry pause', 'failed and are tried again soon'],
  paused: ['Paused', 'their requester paused the job'],
  waiting_for_dependencies: ['Dependencies', 'wait for other jobs'],
  writing_tasks: ['Being written', 'of long arrays; written as they are needed'],
};

const views = {
  queues() {
    const q = state.queues;
    if (!q) return loading();
    const most = Math.max(1, ...q.waitingBy.map((w) => w.tasks));
    const left = el('div', {}, head('What waits, and why', q.oldestWaitingSeconds === null || q.oldestWaitingSeconds === undefined ? 'nothing that could run now waits' : `oldest ready task: ${span(q.oldestWaitingSeconds)}`),
      q.waitingBy.length === 0 ? empty('The queue is empty', 'Everything that was asked for has a device or has ended.')
        : table(['Reason', '>Tasks', '', '>Oldest'], q.waitingBy.map((w) => el('tr', { className: 'item' },
          cell(el('strong', {}, reasons[w.reason]?.[0] ?? words(w.reason)), el('div', { className: 'why' }, reasons[w.reason]?.[1] ?? '')),
          number(count(w.tasks)), cell(meter(w.tasks / most, w.reason === 'retry_backoff' ? 'warn' : w.reason === 'ready' ? '' : 'dim')), number(w.oldestSeconds === null || w.oldestSeconds === undefined ? '–' : span(w.oldestSeconds))))));
    const ended = (e) => [number(count(e.succeeded)), number(count(e.failed)), number(count(e.retries)), number(e.succeeded + e.failed ? `${(100 * e.succeeded / (e.succeeded + e.failed)).toFixed(1)} %` : '–')];
    const right = el('div', {}, head('In hand and done', `counted in ${millis(q.tookMs)}`),
      table(['In hand', '>Attempts'], [['Leased, not begun', q.leased], ['Executing', q.executing], ['Verifying', q.verifying]].map(([name, n]) => el('tr', { className: 'item' }, cell(name), number(count(n))))),
      table(['Ended', '>Succeeded', '>Failed', '>Failed attempts', '>Success'], [['Last hour', q.lastHour], ['Last 24 h', q.lastDay]].map(([name, e]) => el('tr', { className: 'item' }, cell(name), ended(e)))));
    return el('div', { className: 'halves' }, left, right);
  },

  processing() {
    const tasks = listed('processing');
    if (!tasks) return loading();
    return [head('Processing', 'longest running first'), tasks.length === 0 ? empty('Nothing runs', 'No device holds a task just now.')
      : table(['Task', 'State', 'Device', '>Runs for', '>Attempt', 'Failed before'], tasks.map((t) => el('tr', { className: 'item' },
        jobCell(t), cell(pill(words(t.state), tones[t.state])), cell(el('span', { className: 'mono' }, t.device ?? '–')), number(t.started ? span(since(t.started)) : '–'), number(String(t.attempts)),
        cell(t.failedAttempts ? pill(`${t.failedAttempts} × ${words(t.reason ?? 'unknown')}`, 'warn') : el('span', { className: 'dim' }, 'no')))))];
  },

  succeeded() {
    const tasks = listed('succeeded');
    if (!tasks) return loading();
    return [head('Succeeded', 'newest first'), tasks.length === 0 ? empty('Nothing has succeeded yet', 'Submit a job: fog run -- echo hello')
      : table(['Task', 'Device', 'Ended', '>Took', '>Leases', 'Failed before'], tasks.map((t) => el('tr', { className: 'item' },
        jobCell(t), cell(el('span', { className: 'mono' }, t.device ?? '–')), cell(ago(t.finished)), number(t.started ? span((Date.parse(t.finished) - Date.parse(t.started)) / 1000) : '–'), number(String(t.attempts)),
        cell(t.failedAttempts ? pill(`${t.failedAttempts} × ${words(t.reason ?? 'unknown')}`, 'warn') : el('span', { className: 'dim' }, 'no')))))];
  },

  failed() {
    const failures = listed('failed');
    if (!failures) return loading();
    const rows = failures.flatMap((f) => {
      const row = el('tr', { className: 'item' },
        cell(expander(f.id, el('strong', {}, f.jobName)), f.taskIndex === null || f.taskIndex === undefined ? el('span', { className: 'dim' }, ' whole job') : el('span', { className: 'dim' }, ` #${f.taskIndex}`)),
        cell(pill(words(f.state), tones[f.state] ?? 'bad')), cell(el('div', { className: 'wrap' }, el('strong', {}, f.reason ? words(f.reason) : words(f.state)), f.message ? el('div', { className: 'dim small' }, f.message) : '')),
        number(f.exitCode ?? '–'), cell(el('span', { className: 'mono' }, f.device ?? '–')), cell(ago(f.finished)), number(f.failedAttempts ?? '–'), cell(pill(f.outcome, tones[f.outcome])));
      return state.open.has(f.id) ? [row, el('tr', { className: 'detail' }, el('td', { colspan: 8 },
        el('dl', {}, el('dt', {}, 'Job'), el('dd', { className: 'mono' }, f.jobId), el('dt', {}, f.kind), el('dd', { className: 'mono' }, f.id), el('dt', {}, 'Reason'), el('dd', {}, f.reason ?? '–', f.message ? `: ${f.message}` : ''),
          el('dt', {}, 'Ran'), el('dd', {}, f.started ? `${span((Date.parse(f.finished) - Date.parse(f.started)) / 1000)}, ended ${new Date(f.finished).toLocaleString()}` : 'it was never started')),
        el('strong', {}, 'End of its log'), el('pre', { 'data-scroll': `log-${f.id}`, tabindex: 0 }, f.logTail ?? 'It printed nothing.')))] : [row];
    });
    return [head('Failed', 'attempts that did not succeed and jobs without a result, newest first'), failures.length === 0 ? empty('No failures', 'Nothing has failed that is still remembered.')
      : table(['Task', 'State', 'Reason', '>Exit', 'Device', 'When', '>Failed so far', 'What became of it'], rows), moreButton('failed', loadMoreFailures)];
  },

  retries() {
    const tasks = listed('retries');
    if (!tasks) return loading();
    return [head('Retries', 'tasks that wait for another try, next one first'), tasks.length === 0 ? empty('No retries wait', 'Tasks that failed for a passing reason would be listed here until their next try.')
      : table(['Task', 'Next try', 'Last reason', 'Last device', '>Failed attempts', '>Leases'], tasks.map((t) => el('tr', { className: 'item' },
        jobCell(t), cell(t.nextTry ? ahead(t.nextTry) : '–'), cell(pill(words(t.reason ?? 'unknown'), 'warn')), cell(el('span', { className: 'mono' }, t.device ?? '–')), number(String(t.failedAttempts)), number(String(t.attempts)))))];
  },

  recurring() {
    if (!state.jobs) return loading();
    const rows = state.jobs.flatMap((j) => {
      const last = j.lastRun;
      const row = el('tr', { className: 'item' },
        el('td', { className: 'what' }, expander(j.name, el('strong', {}, j.name)), el('div', { className: 'why' }, j.why)),
        cell(pill(j.kind, j.kind === 'pump' ? 'busy' : 'accent'), el('div', { className: 'dim small' }, j.schedule)),
        cell(j.paused ? pill('paused', 'warn') : j.running ? pill('running', 'busy') : last ? pill(last.outcome, tones[last.outcome]) : pill('not yet'),
          el('div', { className: 'dim small' }, j.paused ? el('span', {}, 'since ', ago(j.pausedSince)) : last ? ago(last.started) : ''),
          last?.error ? el('div', { className: 'error small', title: last.error }, last.error) : ''),
        cell(j.paused ? el('span', { className: 'dim' }, 'paused') : j.nextRun ? ahead(j.nextRun) : el('span', { className: 'dim nowrap' }, j.kind === 'pump' ? `within ${span(j.periodSeconds)}` : '–')),
        number(millis(last?.durationMs), el('div', { className: 'dim small nowrap' }, `p50 ${millis(j.p50Ms)} · p95 ${millis(j.p95Ms)}`)),
        cell(spark(j.recent)), number(count(j.runs), el('div', { className: 'small nowrap' }, j.failures ? pill(`${count(j.failures)} failed`, last?.outcome === 'failed' ? 'bad' : 'warn') : el('span', { className: 'dim' }, 'none failed'))),
        cell(el('div', { className: 'row tight' },
          el('button', { type: 'button', 'data-key': `run-${j.name}`, 'aria-label': `Run ${j.name} now`, on: { click: (e) => act(e, () => api.trigger(j.name), `${j.name} runs`, j.name) } }, 'Run now'),
          el('button', { type: 'button', className: 'quiet', 'data-key': `pause-${j.name}`, 'aria-label': `${j.paused ? 'Resume' : 'Pause'} ${j.name}`, on: { click: (e) => j.paused ? act(e, () => api.resume(j.name), `${j.name} resumed`) : pause(e, j) } }, j.paused ? 'Resume' : 'Pause'))));
      return state.open.has(j.name) ? [row, el('tr', { className: 'detail' }, el('td', { colspan: 8 }, historyOf(j)))] : [row];
    });
    const paused = state.jobs.filter((j) => j.paused).length;
    return [head('Recurring jobs', paused ? `${paused} paused` : `${state.jobs.length} jobs, none paused`), state.jobs.length === 0 ? empty('No recurring jobs', 'This control plane was started without any.')
      : table(['Job', 'Schedule', 'Last run', 'Next', '>Took', 'Durations', '>Runs', ''], rows)];
  },

  servers() {
    const s = state.servers;
    if (!s) return loading();
    const d = s.devices;
    return [head('Control planes', `${s.servers.filter((x) => x.alive).length} alive`),
      s.servers.length === 0 ? empty('No control plane has reported yet', 'Each writes a sign of life every two seconds.')
        : table(['Server', 'Version', 'State', 'Started', 'Last seen', 'Leads', 'Running now'], s.servers.map((x) => el('tr', { className: 'item' },
          cell(el('strong', {}, x.host), el('span', { className: 'dim' }, ` pid ${x.pid}`), el('div', { className: 'mono dim' }, x.id)), cell(x.version), cell(x.alive ? pill('alive', 'good') : pill('silent', 'bad')), cell(ago(x.started)), cell(ago(x.lastSeen)),
          cell(el('div', { className: 'row' }, !x.alive ? el('span', { className: 'dim' }, 'nothing any more') : x.leads.length ? x.leads.map((name) => pill(name, 'busy')) : el('span', { className: 'dim' }, 'no pump: another one leads them'))),
          cell(el('div', { className: 'row' }, x.alive && x.running.length ? x.running.map((name) => pill(name, 'accent')) : el('span', { className: 'dim' }, '–')))))),
      head('Devices', 'machines that lend their time'),
      table(['Enrolled', 'Heard from in 90 s', 'Working', 'Cores of those heard'], [el('tr', { className: 'item' }, cell(count(d.enrolled)), cell(count(d.heard)), cell(count(d.working)), cell(d.cores.toLocaleString('en', { maximumFractionDigits: 1 })))])];
  },
};

function meter(share, tone) {
  return svg('svg', { class: 'meter', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, svg('rect', { x: 0, y: 0, width: Math.max(1, share * 100), height: 8, class: tone }));
}

const loading = () => state.problem ? el('div', { className: 'empty' }, el('strong', {}, 'No figures'), 'The reason stands above.') : el('div', { className: 'empty' }, 'Asking the control plane …');
const listed = (view) => state.listOf === view ? state.list : null;

function historyOf(job) {
  const history = state.runs.get(job.name);
  if (!history) return 'Reading its history …';
  if (history.runs.length === 0) return empty('No history yet', 'Each run of a schedule is kept, and of a pump one entry per minute.');
  const measured = history.runs.filter((r) => r.durationMs !== null && r.durationMs !== undefined).reverse();
  return [
    spark(measured.map((r) => r.durationMs), { big: true, width: 1200, height: 54, slots: 50, bad: measured.map((r) => r.outcome === 'failed') }),
    el('table', {}, el('thead', {}, el('tr', {}, ['Started', 'Outcome', 'Trigger', '>Took', '>Runs', 'Server', 'Error'].map((c) => el('th', { scope: 'col', className: c.startsWith('>') ? 'num' : null }, c.replace(/^>/, ''))))),
      el('tbody', {}, history.runs.map((r) => el('tr', {},
        cell(ago(r.started, 'waits')), cell(pill(r.outcome, tones[r.outcome])), cell(pill(r.trigger, tones[r.trigger]), r.askedBy ? el('span', { className: 'dim small' }, ` by ${r.askedBy}`) : ''),
        number(millis(r.durationMs)), number(count(r.runs)), cell(el('span', { className: 'mono' }, r.server ?? '–')),
        cell(r.error ? el('details', { 'data-key': `trace-${r.id}` }, el('summary', { 'data-key': `summary-${r.id}` }, el('strong', {}, r.error.type), `: ${r.error.message}`), el('pre', { 'data-scroll': `trace-${r.id}`, tabindex: 0 }, r.error.trace)) : el('span', { className: 'dim' }, '–')))))),
    history.next ? el('div', { className: 'more' }, el('button', { type: 'button', className: 'quiet', 'data-key': `more-${job.name}`, on: { click: (e) => act(e, () => loadMoreRuns(job.name)) } }, 'Older runs')) : '',
  ];
}

function moreButton(view, load) {
  return state.pages.get(view) ? el('div', { className: 'more' }, el('button', { type: 'button', className: 'quiet', 'data-key': `more-${view}`, on: { click: (e) => act(e, load) } }, 'Older')) : '';
}

// ---- doing ------------------------------------------------------------------------------------------------------

async function act(event, work, done, opens) {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    await work();
    if (done) toast(done);
    if (opens) state.open.add(opens);
  } catch (failure) {
    toast(failure.message, true);
  }
  button.disabled = false;
  beatSoon();
}

function pause(event, job) {
  const button = event.currentTarget;
  $('confirm-title').textContent = `Pause ${job.name}?`;
  $('confirm-text').textContent = `${job.why} While it is paused this does not happen by itself on any control plane, also not after a restart, and /health says degraded.`;
  const dialog = $('confirm');
  dialog.returnValue = 'no';
  dialog.onclose = () => { if (dialog.returnValue === 'yes') act({ currentTarget: button }, () => api.pause(job.name), `${job.name} is paused`); };
  dialog.showModal();
}

async function loadMoreFailures() {
  const page = await api.failures(state.pages.get('failed'));
  state.more.set('failed', [...(state.more.get('failed') ?? []), ...page.failures]);
  state.pages.set('failed', page.next);
}

async function loadMoreRuns(name) {
  const history = state.runs.get(name);
  const page = await api.runs(name, history.next);
  state.runs.set(name, { runs: [...history.runs, ...page.runs], next: page.next, older: true });
}

// ---- the beat ---------------------------------------------------------------------------------------------------

async function gather() {
  const beat = state.beat++;
  const view = state.view;
  const work = [api.queues().then((q) => { state.queues = q; skew = Math.abs(Date.parse(q.at) - Date.now()) > 3000 ? Date.parse(q.at) - Date.now() : 0; })];
  if (view === 'servers' || beat % 3 === 0) work.push(api.servers().then((s) => { state.servers = s; }));
  if (view === 'recurring' || beat % 5 === 0) work.push(api.jobs().then((j) => { state.jobs = j.jobs; }));
  if (view === 'recurring')
    for (const name of state.open)
      if ((state.jobs ?? []).some((j) => j.name === name) && !state.runs.get(name)?.older)
        work.push(api.runs(name).then((page) => { state.runs.set(name, page); }));
  const list = {
    processing: () => api.tasks('processing').then((l) => l.tasks), succeeded: () => api.tasks('succeeded').then((l) => l.tasks), retries: () => api.tasks('retrying').then((l) => l.tasks),
    failed: () => api.failures().then((page) => {
      const older = state.more.get('failed');
      if (!older) { state.pages.set('failed', page.next); return page.failures; }
      const known = new Set(page.failures.map((f) => f.id));
      return [...page.failures, ...older.filter((f) => !known.has(f.id))];
    }),
  }[view];
  if (list) work.push(list().then((items) => { if (state.view === view) [state.list, state.listOf] = [items, view]; }));
  await Promise.all(work);
}

let timer = null;
let running = false;

async function beatNow() {
  if (running) return;
  running = true;
  clearTimeout(timer);
  const started = performance.now();
  try {
    await gather();
    [state.lastAnswer, state.failingSince, state.problem, state.took] = [new Date(), null, null, performance.now() - started];
  } catch (failure) {
    state.problem = failure;
    state.failingSince ??= new Date();
  }
  running = false;
  draw();
  timer = setTimeout(beatNow, document.hidden ? 10 * PERIOD : Math.max(200, PERIOD - (performance.now() - started)));
}

function beatSoon() {
  clearTimeout(timer);
  timer = setTimeout(beatNow, 60);
}

// ---- drawing ----------------------------------------------------------------------------------------------------

function notice() {
  const failure = state.problem;
  const kind = !failure ? '' : failure.status === 401 || failure.status === 403 ? `key-${failure.status}` : failure.status === 404 ? '404' : failure.status ? 'error' : 'down';
  const box = $('notice');
  if (box.dataset.kind === kind && kind.startsWith('key')) return; // The field keeps what is being typed.
  box.dataset.kind = kind;
  if (!failure) { box.replaceChildren(); return; }
  const last = state.lastAnswer ? ` Last answer: ${state.lastAnswer.toLocaleTimeString()}; the figures below are from then.` : '';
  if (kind.startsWith('key')) {
    const field = el('input', { type: 'password', autocomplete: 'off', 'aria-label': 'API key', placeholder: 'API key with permission operate' });
    const form = el('form', { on: { submit: (e) => { e.preventDefault(); sessionStorage.setItem('fog-api-key', field.value.trim()); box.dataset.kind = ''; state.problem = null; beatSoon(); } } }, field, el('button', { type: 'submit' }, 'Use it'));
    const title = failure.status === 401 ? (sessionStorage.getItem('fog-api-key') ? 'This API key is not valid' : 'Who are you?') : 'This key may not operate the pool';
    const text = failure.status === 401 ? 'Enter the API key of an operator. It stays in this tab until you close it.' : 'The page needs permission operate. Ask an administrator for a key with it, or enter another one.';
    box.replaceChildren(el('div', { className: 'notice warn' }, el('div', {}, el('strong', {}, title), el('p', {}, text)), form));
    field.focus();
    return;
  }
  const [title, text] = kind === 'down' ? [`The control plane does not answer since ${state.failingSince.toLocaleTimeString()}`, `Trying again every second.${last}`]
    : failure.status === 503 ? [`The control plane cannot answer since ${state.failingSince.toLocaleTimeString()}`, `${failure.message}${last}`]
      : [`The control plane answered ${failure.status}`, `${failure.message}${last}`];
  box.replaceChildren(el('div', { className: 'notice bad' }, el('div', {}, el('strong', {}, title), el('p', {}, text))));
}

function badge(name, text, tone = '') {
  const node = document.querySelector(`[data-count="${name}"]`);
  node.textContent = text;
  node.className = tone;
}

function tiles() {
  const q = state.queues;
  if (q) {
    const processing = q.leased + q.executing + q.verifying;
    const set = (id, value, more) => { $(`t-${id}`).textContent = value; $(`t-${id}-more`).textContent = more; };
    set('waiting', count(q.waiting), q.oldestWaitingSeconds === null || q.oldestWaitingSeconds === undefined ? 'nothing ready waits' : `oldest ${span(q.oldestWaitingSeconds)}`);
    set('processing', count(processing), `${count(q.executing)} executing, ${count(q.verifying)} verifying`);
    set('succeeded', count(q.lastDay.succeeded), `24 h · ${count(q.lastHour.succeeded)} in the last hour`);
    set('failed', count(q.lastDay.failed), `24 h · ${count(q.lastHour.failed)} in the last hour`);
    set('retrying', count(q.retrying), `${count(q.lastHour.retries)} failed attempts in 1 h`);
    badge('processing', processing ? count(processing) : '');
    badge('succeeded', '');
    badge('failed', q.lastHour.failed ? count(q.lastHour.failed) : '', 'bad');
    badge('retries', q.retrying ? count(q.retrying) : '', 'warn');
  }
  const s = state.servers;
  if (s) {
    $('t-devices').textContent = count(s.devices.heard);
    $('t-devices-more').textContent = `of ${count(s.devices.enrolled)} enrolled · ${count(s.devices.working)} working`;
    badge('servers', count(s.servers.filter((x) => x.alive).length), s.servers.some((x) => !x.alive) ? 'warn' : '');
  }
  if (state.jobs) {
    const paused = state.jobs.filter((j) => j.paused).length;
    const failing = state.jobs.filter((j) => j.lastRun?.outcome === 'failed').length;
    badge('recurring', failing ? `${failing} failing` : paused ? `${paused} paused` : count(state.jobs.length), failing ? 'bad' : paused ? 'warn' : '');
  }
}

function graph() {
  const canvas = $('graph');
  const q = state.queues;
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth - 20, 140];
  if (width <= 0) return;
  canvas.width = (width + 20) * ratio;
  canvas.height = 150 * ratio;
  const pen = canvas.getContext('2d');
  pen.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const [left, bottom, top] = [38, height - 20, 8];
  // The newest second is not over yet.
  const end = Math.floor(now() / 1000) - 1;
  const by = new Map((q?.perSecond ?? []).map((s) => [s.at, s]));
  const seconds = Array.from({ length: HISTORY }, (_, i) => by.get(end - HISTORY + 1 + i) ?? { succeeded: 0, failed: 0 });
  const most = Math.max(1, ...seconds.map((s) => s.succeeded + s.failed));
  const step = Math.max(1, Math.ceil(most / 4));
  const scale = step * Math.ceil(most / step);
  pen.font = '11px system-ui, sans-serif';
  pen.textBaseline = 'middle';
  pen.lineWidth = 1;
  for (let v = 0; v <= scale; v += Math.max(step, scale / 4)) {
    const y = Math.round(bottom - (v / scale) * (bottom - top)) + 0.5;
    pen.strokeStyle = colour('--line');
    pen.beginPath(); pen.moveTo(left, y); pen.lineTo(width, y); pen.stroke();
    pen.fillStyle = colour('--dim');
    pen.textAlign = 'right';
    pen.fillText(String(Math.round(v)), left - 7, y);
  }
  pen.textAlign = 'center';
  for (const back of [120, 90, 60, 30]) pen.fillText(`${back} s`, Math.max(left + 12, left + (width - left) * (1 - back / HISTORY)), height - 7);
  pen.textAlign = 'right';
  pen.fillText('now', width, height - 7);
  const slot = (width - left) / HISTORY;
  const bar = (value, offset, i, name) => {
    if (!value) return;
    const tall = (value / scale) * (bottom - top);
    pen.fillStyle = colour(name);
    pen.fillRect(left + i * slot + 0.5, bottom - offset - tall, Math.max(1.5, slot - 1.5), tall);
    return tall;
  };
  seconds.forEach((s, i) => { const below = bar(s.succeeded, 0, i, '--good') ?? 0; bar(s.failed, below, i, '--bad'); });
  if (q) {
    const mean = (key) => seconds.slice(-10).reduce((sum, s) => sum + s[key], 0) / 10;
    $('g-succeeded').textContent = `${mean('succeeded').toFixed(1)}/s`;
    $('g-failed').textContent = `${mean('failed').toFixed(1)}/s`;
    canvas.setAttribute('aria-label', `Tasks per second over the last ten seconds: ${mean('succeeded').toFixed(1)} succeeded, ${mean('failed').toFixed(1)} failed`);
  }
}

function draw() {
  for (const tab of document.querySelectorAll('.tabs a')) {
    if (tab.hash === `#${state.view}`) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  const pulse = $('pulse');
  pulse.className = state.problem ? 'pulse down' : state.lastAnswer ? 'pulse live' : 'pulse';
  const text = state.problem ? (state.problem.status === 401 || state.problem.status === 403 ? 'not allowed' : 'no answer') : state.lastAnswer ? 'live' : 'connecting …';
  if ($('pulse-text').textContent !== text) $('pulse-text').textContent = text;
  pulse.title = state.took ? `answered in ${millis(state.took)}` : '';
  $('forget').hidden = !sessionStorage.getItem('fog-api-key');
  notice();
  tiles();
  graph();
  // A selection in progress is not torn away.
  const selection = getSelection();
  if (selection && !selection.isCollapsed && $('view').contains(selection.anchorNode)) return;
  redraw($('view'), views[state.view]);
  document.title = state.problem ? '✕ FogCompute operations' : 'FogCompute operations';
}

// ---- start ------------------------------------------------------------------------------------------------------

const themes = { auto: 'as the system', light: 'light', dark: 'dark' };

function theme(change) {
  const names = Object.keys(themes);
  let name = localStorage.getItem('fog-theme') ?? 'auto';
  if (change) name = names[(names.indexOf(name) + 1) % names.length];
  localStorage.setItem('fog-theme', name);
  if (name === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  $('theme').textContent = { auto: '◐', light: '☀', dark: '☾' }[name];
  $('theme').setAttribute('aria-label', `Colours: ${themes[name]}`);
  $('theme').title = `Colours: ${themes[name]}`;
  if (change) draw();
}

/** #view or #view/row: the row (a recurring job, a failure) is opened. */
function route() {
  const [view, row] = location.hash.slice(1).split('/').map(decodeURIComponent);
  state.view = Object.hasOwn(views, view) ? view : 'queues';
  if (row) state.open.add(row);
  state.more.clear();
  [state.list, state.listOf] = [null, null];
  draw();
  beatSoon();
}

addEventListener('hashchange', route);
addEventListener('resize', graph);
document.addEventListener('visibilitychange', () => { if (!document.hidden) beatSoon(); });
$('theme').addEventListener('click', () => theme(true));
$('forget').addEventListener('click', () => { sessionStorage.removeItem('fog-api-key'); [state.queues, state.servers, state.jobs, state.list] = [null, null, null, null]; beatSoon(); });
theme(false);
route();
