package plans_test

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"goc/ops"
	"goc/plans"
)

func TestConfigErrorsNameTheirPlace(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*ops.Plan, *plans.Config)
		want []string // one part for each line of the error
	}{
		"a good plan":                   {func(*ops.Plan, *plans.Config) {}, nil},
		"no name":                       {func(p *ops.Plan, _ *plans.Config) { p.Name = "" }, []string{"plans.plans[0].name"}},
		"a name with a slash":           {func(p *ops.Plan, _ *plans.Config) { p.Name = "a/b" }, []string{"plans.plans[0].name"}},
		"no steps":                      {func(p *ops.Plan, _ *plans.Config) { p.Steps = nil }, []string{"plans.plans[0].steps"}},
		"two bad fields give two lines": {func(p *ops.Plan, _ *plans.Config) { p.Name, p.Steps = "", nil }, []string{"[0].name", "[0].steps"}},
		"a command that is not allowed": {func(p *ops.Plan, _ *plans.Config) {
			p.Steps[0] = ops.Step{Name: "x", Command: &ops.CommandStep{Argv: []string{"/bin/rm"}}}
		}, []string{"plans.plans[0].steps[0]: the program is not in plans.allowed_commands"}},
		"a host that is not allowed": {func(_ *ops.Plan, c *plans.Config) { c.AllowedHosts = []string{"other"} }, []string{"steps[0]:", "steps[0].undo:", "steps[1]:", "steps[1].undo:", "steps[2]:"}},
		"a host that is allowed":     {func(_ *ops.Plan, c *plans.Config) { c.AllowedHosts = []string{"h:1"} }, nil},
		"a body that is not JSON":    {func(p *ops.Plan, _ *plans.Config) { p.Steps[2].HTTP.Body = `{"a":` }, []string{"plans.plans[0].steps[2].http.body: is not JSON"}},
		"an unknown source":          {func(p *ops.Plan, _ *plans.Config) { p.Params[0].From = "weather" }, []string{"plans.plans[0].params[0].from"}},
		"a check without a bound":    {func(p *ops.Plan, _ *plans.Config) { p.Verify = []ops.Check{{Name: "v", Query: "q"}} }, []string{"plans.plans[0].verify[0]"}},
		"an unknown kind of change":  {func(p *ops.Plan, _ *plans.Config) { p.ChangeKinds = []string{"magic"} }, []string{"plans.plans[0].change_kinds[0]"}},
		"an undo with a bad URL":     {func(p *ops.Plan, _ *plans.Config) { p.Steps[0].Undo.HTTP.URL = "x" }, []string{"plans.plans[0].steps[0].undo.http.url"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := rollback("http://h:1")
			conf := plans.Config{}
			c.edit(&p, &conf)
			conf.Plans = []ops.Plan{p}
			var got []string
			if err := conf.Validate(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %d errors", got, len(c.want))
			}
			for i := range got {
				if !strings.Contains(got[i], c.want[i]) {
					t.Errorf("got %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
}

func TestConfigReadsYAMLStrictly(t *testing.T) {
	const text = `
allowed_commands: [/usr/local/bin/failover]
plans:
  - name: failover
    title: Fail over the database
    scope: {service: [orders-db]}
    alerts: [DatabaseSlow]
    params: [{name: target, default: standby, required: true}]
    precondition: [{name: the standby is there, query: up, above: 0}]
    steps:
      - name: fail over
        command: {argv: [/usr/local/bin/failover, --to, "${target}"]}
        timeout: 2m
        undo: {name: fail back, command: {argv: [/usr/local/bin/failover, --to, primary]}}
    verify: [{name: it answers, query: db_ok, above: 0.99, within: 5m}]
    second_person: true
`
	var c plans.Config
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if p := c.Plans[0]; !p.SecondPerson || p.Verify[0].Within.String() != "5m" || p.Steps[0].Undo.Name != "fail back" {
		t.Errorf("read %+v", p)
	}
}
