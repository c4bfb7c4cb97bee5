// Sentences that the server makes and that carry no figures beside them: summaries of the rules that ship with the
// product, titles made of them, and why an alert belongs or an incident is as bad as it is. Each is recognised as a whole
// and said in Chinese; what is not recognised, such as the rules of a customer, stays as it is.

const patterns: [RegExp, string][] = [
  [/^(\S+) in (\S+) succeeds in (\S+) of calls, normal (\S+)$/, '$2 的 $1 成功率 $3（平时 $4）'],
  [/^(\S+) on (\S+) succeeds in (\S+) of calls, normal (\S+)$/, '$1 的实例 $2 成功率 $3（平时 $4）'],
  [/^(\S+) succeeds in (\S+) of calls, normal (\S+)$/, '$1 成功率 $2（平时 $3）'],
  [/^(\S+) in (\S+) succeeds in (\S+) of calls$/, '$2 的 $1 成功率 $3'],
  [/^(\S+) succeeds in (\S+) of calls$/, '$1 成功率 $2'],
  [
    /^(\S+) in (\S+) succeeded in (\S+) of calls over the last minute, normal (\S+)$/,
    '$2 的 $1 近一分钟成功率 $3（平时 $4）',
  ],
  [/^(\S+) succeeded in (\S+) of calls over the last minute, normal (\S+)$/, '$1 近一分钟成功率 $2（平时 $3）'],
  [/^(\S+) takes (\S+) orders per minute, normal (\S+)$/, '$1 每分钟 $2 单（平时 $3）'],
  [/^(\S+) takes (\S+) orders per minute$/, '$1 每分钟 $2 单'],
  [/^(\S+) in (\S+) takes (.+), normal (.+)$/, '$2 的 $1 耗时 $3（平时 $4）'],
  [/^(\S+) on (\S+) takes (.+), normal (.+)$/, '$1 的实例 $2 耗时 $3（平时 $4）'],
  [/^(\S+) takes (.+), normal (.+)$/, '$1 耗时 $2（平时 $3）'],
  [/^(\S+) went dark: (\S+) of its devices are offline$/, '$1 整店失联：$2 的设备离线'],
  [/^(\S+) of the (\S+) devices in (\S+) are offline$/, '$3 的{kind:$2}有 $1 离线'],
  [/^(\S+) of the (\S+) devices in (\S+) say that they are not well$/, '$3 的{kind:$2}有 $1 自报异常'],
  [
    /^(\S+) of the (\S+) devices with firmware (\S+) are offline or degraded, of the others (\S+)$/,
    '固件 $3 的{kind:$2}有 $1 离线或异常（其余 $4）',
  ],
  [/^(\S+) of the (\S+) devices with firmware (\S+) are offline or degraded$/, '固件 $3 的{kind:$2}有 $1 离线或异常'],
  [/^(\S+) of (\S+) does not answer$/, '$2 的 $1 没有应答'],

  [/^it was part of this incident before$/, '它之前就属于这个故障'],
  [/^it is the same service, (\S+)$/, '同一个服务 $1'],
  [/^(\S+) is part of this incident already$/, '$1 已在这个故障之中'],
  [/^(\S+) depends on (\S+), which is failing \((\d+) calls? away\)$/, '$1 依赖出了问题的 $2（相隔 $3 次调用）'],
  [
    /^(\S+), where this incident began to show, depends on it \((\d+) calls? away\): the trouble is nearer here$/,
    '最先出现症状的 $1 依赖它（相隔 $2 次调用）：问题更靠近这里',
  ],
  [/^it shows the same as (\S+), and both depend on (\S+)$/, '症状与 $1 相同，两者都依赖 $2'],
  [
    /^(\S+) as a whole is in trouble, which explains (?:this incident|what happens in it)$/,
    '$1 整体出了问题，可以解释',
  ],
  [/^(\S+) and (\S+) hang on the same network, (\S+)$/, '$1 与 $2 接在同一网络 $3 上'],
  [/^it is in the same store, (\S+)$/, '同在门店 $1'],
  [/^its devices run the same firmware, (\S+)$/, '设备固件相同：$1'],
  [
    /^its devices share the firmware (\S+), which explains those of the kind (\S+)$/,
    '设备同为固件 $1，可以解释这些{kind:$2}',
  ],
  [/^the same shows on devices of the same kind, (\S+)$/, '同类设备（{kind:$1}）出现同样症状'],
  [/^it is the same instance, (\S+)$/, '同一个实例 $1'],
  [/^it is the same alert, (\S+)$/, '同一条告警 $1'],
  [/^(\S+) fires in many places within (\S+)$/, '$1 在 $2 内于多处触发'],
  [/^it opened the incident: no other incident explains it$/, '它开启了这个故障：没有别的故障能解释它'],
  [/^both have the same first suspect, (\S+)$/, '两者的首要嫌疑相同：$1'],
  [/^(\S+) and (\S+) lie in the same city, (\S+)$/, '$1 与 $2 同在城市 $3'],
  [
    /^it opened the incident: (\S+), the first suspect of (\S+), did not come to .*$/,
    '它自成一个故障：$2 的首要嫌疑 $1 没有到过这里',
  ],
  [/^it opened the incident: (\S+) had .* (\S+) before it began$/, '它自成一个故障：$1 在它开始前 $2 已经过去'],
  [/^it opened the incident: no other incident explains it$/, '它开启了这个故障：没有别的故障能解释它'],
  [/^it fired again soon after the incident was resolved$/, '故障解决后不久它再次触发'],

  [/^it was the same service, (\S+)$/, '同一个服务 $1'],
  [/^it was (\S+), which (\S+) calls$/, '当时是 $1，$2 调用它'],
  [/^it was (\S+), which calls (\S+)$/, '当时是 $1，它调用 $2'],
  [/^the same alerts fired: (.+)$/, '触发的告警相同：$1'],
  [/^a change of the same kind did it: (\S+)$/, '同类变更所致：{kind:$1}'],
  [/^the same indicators departed: (.+)$/, '偏离的指标相同：$1'],
  [/^it was in the same stores: (.+)$/, '门店相同：$1'],
  [/^it was in the same city: (.+)$/, '城市相同：$1'],
  [/^the stores hang on the same network, (\S+)$/, '门店接在同一网络 $1 上'],
  [/^neither was bound to a place$/, '都不限于某个地点'],
  [/^plan (\S+) \((\S+)\) was run, and it was verified that it worked$/, '执行过预案 $1（$2），已验证有效'],
  [/^(.+) was rolled back$/, '已回滚 $1'],

  [/^alert (\S+)$/, '告警 $1'],
  [/^(\S+) confirmed (\S+)$/, '$1 确认 $2'],
  [/^(\S+) says that no change did it$/, '$1 判断与变更无关'],
  [/^declared by (\S+)$/, '$1 宣布'],
  [/^mitigated by (\S+)$/, '$1 标记为已止损'],
  [/^resolved by (\S+)$/, '$1 解决'],
  [/^all alerts have been resolved for (\S+)$/, '所有告警恢复已满 $1'],
  [/^all steps are done, and it is verified that they worked$/, '所有步骤完成，已验证有效'],
  [/^all steps are done; the plan has no verification$/, '所有步骤完成；该预案不带验证'],
  [/^(\S+) is inside the bounds$/, '$1，在限值之内'],
];

// Of a severity's evidence, which is a list.
const evidence: [RegExp, string][] = [
  [/^(\S+) is a core service$/, '$1 是核心服务'],
  [/^(\S+) is of tier (\S+)$/, '$1 属于 $2'],
  [/^no store is spared$/, '没有门店幸免'],
  [/^whole stores are in trouble$/, '整店受影响'],
  [/^(\S+) is failing$/, '$1 出了问题'],
  [/^(\d+) stores? (?:is|are) affected$/, '$1 家门店受影响'],
  [/^that is (\S+) % of the chain$/, '占全部门店的 $1%'],
  [/^(\d+) devices? (?:is|are) affected$/, '$1 台设备受影响'],
  [/^(\d+) complaints above normal$/, '投诉比平时多 $1 条'],
  [/^its alerts say (\S+)$/, '告警级别为 $1'],
  [/^declared so$/, '人工宣布'],
  [/^(\d+) services?$/, '$1 个服务'],
  [/^(\d+) stores?$/, '$1 家门店'],
  [/^(\d+) devices?$/, '$1 台设备'],
];

/** Says one sentence of the server's in Chinese; kindOf names a kind of device. Null when it is not known. */
function whole(text: string, list: [RegExp, string][], kindOf: (kind: string) => string): string | null {
  for (const [pattern, said] of list) {
    if (pattern.test(text))
      return text.replace(pattern, said).replace(/\{kind:(\S+?)\}/g, (_, kind: string) => kindOf(kind));
  }
  return null;
}

/** Says a sentence, a title or a list of evidence in Chinese; null where the server's own must do. */
export function sentence(text: string, kindOf: (kind: string) => string): string | null {
  const more = /^(.*) and (\d+) more stores?$/.exec(text);
  if (more) {
    const first = whole(more[1]!, patterns, kindOf);
    return first && `${first}，另有 ${more[2]} 家门店`;
  }
  const merged = /^merged from (\S+)(?:: (.+))?$/.exec(text);
  if (merged) return `自 ${merged[1]} 并入${merged[2] ? `：${sentence(merged[2], kindOf) ?? merged[2]}` : ''}`;
  const one = whole(text, patterns, kindOf);
  if (one) return one;
  const parts = text
    .replace(/^no rule gives more: /, '')
    .split(', ')
    .map((p) => whole(p, evidence, kindOf));
  return parts.every((p) => p !== null) ? parts.join('，') : null;
}
