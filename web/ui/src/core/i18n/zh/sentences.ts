// Sentences that the server makes and that carry no figures beside them: summaries of the rules that ship with the
// product, titles made of them, and why an alert belongs or an incident is as bad as it is. Each is recognised as a whole
// and said in Chinese; what is not recognised, such as the rules of a customer, stays as it is.

type Word = (prefix: string, name: string) => string;

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
  [/^(\S+) and (\S+) lie in the same city, (\S+)$/, '$1 与 $2 同在城市 $3'],
  [/^(\S+) says that they have another cause$/, '$1 判断它们另有原因'],
  [/^(\S+) says that it does not belong here$/, '$1 判断它不属于这里'],
  [/^(\d+) incidents are open, which is the most that are kept apart$/, '已有 $1 个故障，不再分开'],
  [/^(\S+), the first suspect of (\S+), did not come to (.+)$/, '$2 的首要嫌疑 $1 没有到过 $3'],
  [/^(\S+) did not come to these, and (\S+) is their first suspect$/, '$1 没有到过这些地方，它们的首要嫌疑是 $2'],
  [
    /^(\S+) had recovered after (\S+) was rolled back, and now (\S+) is the first suspect$/,
    '$1 在 $2 回滚后已恢复，现在的首要嫌疑是 $3',
  ],
  [/^(\S+) had recovered (\S+) before it began$/, '它开始之前 $2，$1 已经恢复'],
  [/^(\S+) had been quiet (\S+) before it began$/, '它开始之前 $2，$1 已经平静'],
  [/^(\S+) had been mitigated (\S+) before it began$/, '它开始之前 $2，$1 已经止损'],
  [
    /^(\S+) had lost its cause, (\S+), which was rolled back, (\S+) before it began$/,
    '它开始之前 $3，$1 的原因 $2 已回滚',
  ],
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
  [/^all alerts have been resolved and the indicators back for (\S+)$/, '告警与指标恢复已满 $1'],
  [/^by the alerts alone, resolved for (\S+); the indicators are unknown$/, '告警恢复已满 $1，指标没有数据'],
  [/^by the alerts alone, resolved for (\S+); what is still off .+$/, '告警恢复已满 $1，仍偏离的视为新的常态'],
  [/^(\S+) named the cause$/, '$1 指明原因'],
  [/^no change on record did it$/, '与已记录的变更无关'],
  [/^(\S+) of (\S+)(?: in (.+?))? is back at (.+), normal (.+)$/, '$3 $2 {indicator:$1}已回到 $4（平时 $5）'],
  [/^(\S+) of (\S+)(?: in (.+?))? is ([\d.]+ ?\S+), normal (.+)$/, '$3 $2 {indicator:$1} $4（平时 $5）'],
  [
    /^(\S+) of (\S+)(?: in (.+?))? (?:left its course|began to slip), to within (\S+)$/,
    '$3 $2 {indicator:$1}开始偏离，精度 $4',
  ],
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

/** Says one sentence of the server's in Chinese; word names kinds of device and indicators. Null when it is not known. */
function whole(text: string, list: [RegExp, string][], word: Word): string | null {
  for (const [pattern, said] of list) {
    if (pattern.test(text))
      return text
        .replace(pattern, said)
        .replace(/\{(kind|indicator):(\S+?)\}/g, (_, prefix: string, name: string) => word(prefix, name))
        .trimStart();
  }
  return null;
}

// Sentences that end in another, which is their last group.
const nested: [RegExp, string][] = [
  [/^merged from (\S+): (.+)$/, '自 $1 并入：'],
  [/^moved from (\S+): (.+)$/, '自 $1 移来：'],
  [/^it opened the incident: ((?!no other).+)$/, '它开启了这个故障：'],
];

/** Says a sentence, a title or a list of evidence in Chinese; null where the server's own must do. */
export function sentence(text: string, word: Word): string | null {
  const more = /^(.*) and (\d+) more stores?$/.exec(text);
  if (more) {
    const first = whole(more[1]!, patterns, word);
    return first && `${first}，另有 ${more[2]} 家门店`;
  }
  for (const [pattern, said] of nested) {
    const m = pattern.exec(text);
    if (m) return m[0].replace(pattern, said) + (sentence(m.at(-1)!, word) ?? m.at(-1)!);
  }
  const one = whole(text, patterns, word);
  if (one) return one;
  const parts = text
    .replace(/^no rule gives more: /, '')
    .split(', ')
    .map((p) => whole(p, evidence, word));
  return parts.every((p) => p !== null) ? parts.join('，') : null;
}
