package web

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"goc/ops"
)

// The nouns of ops know nothing of huma, so these stand in for those whose JSON does not follow from their Go type.
type (
	timeSchema     struct{}
	durationSchema struct{}
	stateSchema    struct{}
)

// Schema implements huma.SchemaProvider: what ops.Time reads; it writes the first, or null.
func (timeSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "RFC 3339 in UTC with milliseconds; also read as Unix seconds or milliseconds; null when it has not come",
		AnyOf:       []*huma.Schema{{Type: huma.TypeString, Format: "date-time"}, {Type: huma.TypeNumber}, {Enum: []any{nil}}},
		Examples:    []any{"2026-11-20T08:00:00.000Z"},
	}
}

// Schema implements huma.SchemaProvider: what ops.Duration reads.
func (durationSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type:               huma.TypeString,
		Description:        "Go or Prometheus text",
		Pattern:            `^(([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+|[0-9]+[dwy]|0)?$`,
		PatternDescription: "a duration like 90s, 10m, 2h or 1d",
		Examples:           []any{"10m"},
	}
}

// Schema implements huma.SchemaProvider: the names of ops.DeviceState.
func (stateSchema) Schema(huma.Registry) *huma.Schema {
	var names []any
	for _, n := range ops.DeviceStates() {
		names = append(names, n)
	}
	return &huma.Schema{Type: huma.TypeString, Enum: names}
}

// newRegistry returns a registry that knows how the nouns look as JSON.
func newRegistry() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	r.RegisterTypeAlias(reflect.TypeFor[ops.Time](), reflect.TypeFor[timeSchema]())
	r.RegisterTypeAlias(reflect.TypeFor[ops.Duration](), reflect.TypeFor[durationSchema]())
	r.RegisterTypeAlias(reflect.TypeFor[ops.DeviceState](), reflect.TypeFor[stateSchema]())
	return r
}

// newDocument starts the OpenAPI document.
func newDocument(version string) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:       "GOC",
			Version:     version,
			Description: "The command center's API. Errors are RFC 9457 problems. Lists page by limit and cursor. Idempotency-Key works on any POST.",
		},
		Components: &huma.Components{
			Schemas: newRegistry(),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"token":   {Type: "http", Scheme: "bearer", Description: "goc token create"},
				"session": {Type: "apiKey", In: "cookie", Name: sessionCookie},
			},
		},
	}
}

// problemResponse documents what any operation answers when it fails.
func problemResponse(r huma.Registry) *huma.Response {
	return &huma.Response{
		Description: "What is wrong, where, and what to do about it",
		Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: r.Schema(reflect.TypeFor[problem](), true, "Problem")},
		},
	}
}
