const two = (n: number) => String(n).padStart(2, '0');

/** A length of time as it stands in a Chinese sentence: 38 秒, 2 分 04 秒, 3 小时 05 分. */
export function lengthOf(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} 秒`;
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)} 分 ${two(s % 60)} 秒` : `${s / 60} 分`;
  if (s < 86400) return `${Math.floor(s / 3600)} 小时 ${two(Math.floor(s / 60) % 60)} 分`;
  return `${Math.floor(s / 86400)} 天 ${Math.floor(s / 3600) % 24} 小时`;
}
