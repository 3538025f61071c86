// Formats numbers and times for people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export const NOTHING = "–";

export const count = (value) => (value === null || value === undefined ? NOTHING : whole.format(value));

/** Return at most three digits, such as 61.2K. */
export const brief = (value) => (value === null || value === undefined ? NOTHING : short.format(value));

export const rate = (value) => (value === null || value === undefined ? NOTHING : `${brief(value)} msg/s`);

export function milliseconds(value) {
  if (value === null || value === undefined) return NOTHING;
  if (!value) return "0 ms";
  if (value >= 1000) return seconds(value / 1000);
  return `${value >= 99.5 ? value.toFixed(0) : value.toPrecision(2)} ms`;
}

export function seconds(value) {
  if (value === null || value === undefined) return NOTHING;
  if (value < 60) return `${value.toFixed(value && value < 10 ? 1 : 0)} s`;
  const rest = Math.round(value);
  return `${Math.floor(rest / 60)} min ${rest % 60} s`;
}

/** Return a time on an axis, such as 12 s or 1:35. */
export function clock(value) {
  if (value < 60) return `${Number(value.toFixed(1))} s`;
  const rest = Math.round(value);
  return `${Math.floor(rest / 60)}:${String(rest % 60).padStart(2, "0")}`;
}

/** Return a latency on an axis, such as 20 ms or 1.5 s. */
export const latency = (value) => (value >= 1000 ? `${brief(value / 1000)} s` : `${Number(value.toPrecision(3))} ms`);

/** Return the time of day. If the date is not today, put the date before the time. */
export function moment(iso) {
  const then = new Date(iso);
  const today = new Date().toDateString() === then.toDateString();
  const time = then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return today ? time : `${then.toLocaleDateString([], { month: "short", day: "numeric" })}, ${time}`;
}

export const plural = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
