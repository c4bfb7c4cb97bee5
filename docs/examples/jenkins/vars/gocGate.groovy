// Asks GOC's change gate whether this may go out now. docs/integrations/jenkins.md says how to use it.
//
//   gocGate server: 'https://goc.example.com', credentialsId: 'goc-ci', service: 'pay-gateway', version: env.TAG
//
// It fails the build when the answer is no; with fail: false it returns the exit code (0 allowed, 1 denied, 2 wrong usage,
// 3 still told to wait, 4 no answer). Arguments: server, credentialsId, gateKey, command (check, wait), timeout, change,
// stage, file, kind, title, service, version, environment, risk, scope, rollback, onUnavailable, retryFor, cacheDir, goc.
def call(Map args) {
    def names = [
        server: 'GOC_SERVER', gateKey: 'GOC_GATE_KEY', timeout: 'GOC_TIMEOUT', change: 'GOC_CHANGE', stage: 'GOC_STAGE',
        file: 'GOC_FILE', kind: 'GOC_KIND', title: 'GOC_TITLE', service: 'GOC_SERVICE', version: 'GOC_VERSION',
        environment: 'GOC_ENVIRONMENT', risk: 'GOC_RISK', scope: 'GOC_SCOPE', rollback: 'GOC_ROLLBACK',
        onUnavailable: 'GOC_ON_UNAVAILABLE', retryFor: 'GOC_RETRY_FOR', cacheDir: 'GOC_CACHE_DIR',
        command: 'GATE_COMMAND', goc: 'GATE_GOC',
    ]
    def known = names.keySet() + ['credentialsId', 'fail']
    args.keySet().each { if (!known.contains(it)) { error("gocGate: there is no argument ${it}") } }
    // The environment only: an argument must not become part of a script.
    def variables = names.findAll { name, variable -> args[name] != null && "${args[name]}" != '' }
        .collect { name, variable -> "${variable}=${args[name]}" }
    int code = 0
    withEnv(variables) {
        def ask = {
            code = sh(label: 'change gate', returnStatus: true, script: '''
                exec "${GATE_GOC:-goc}" gate "${GATE_COMMAND:-check}"
            ''')
        }
        if (args.credentialsId) {
            withCredentials([string(credentialsId: args.credentialsId, variable: 'GOC_TOKEN')]) { ask() }
        } else {
            ask()
        }
    }
    if (code != 0 && args.fail != false) {
        error("the change gate did not let this out (exit code ${code})")
    }
    return code
}
