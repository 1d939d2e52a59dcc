// How numbers are written. A dash stands for what is not known.
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

export const count = (n) => (n == null ? '–' : whole.format(n));

export function rate(n) {
  if (n == null) return '–';
  if (n >= 1e6) return `${three.format(n / 1e6)} M`;
  return n >= 100 ? whole.format(n) : three.format(n);
}

export function seconds(s) {
  if (!(s > 0)) return '–';
  if (s < 1e-3) return `${three.format(s * 1e6)} µs`;
  return s < 1 ? `${three.format(s * 1e3)} ms` : `${three.format(s)} s`;
}

export function bytes(n) {
  if (n == null) return '–';
  let unit = 0;
  while (n >= 1024 && unit < 4) {
    n /= 1024;
    unit++;
  }
  return `${unit ? three.format(n) : whole.format(n)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}

export function span(s) {
  const d = Math.floor(s / 86400);
  const [h, m] = [Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${Math.floor(s % 60)} s` : `${Math.floor(s)} s`;
}
