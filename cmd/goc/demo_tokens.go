package main

import (
	"context"
	"fmt"
	"net/http"

	"goc/ops"
	"goc/world"
)

// demoTokens gives the world's machines and its people names of their own, so that the record says who did what. Tokens
// of an earlier demo on the same data are revoked: their secrets are gone.
func demoTokens(ctx context.Context, url string) (world.Tokens, error) {
	c := &client{Server: url}
	var old ops.List[tokenView]
	if err := c.do(ctx, http.MethodGet, "/api/v1/tokens?limit=1000", nil, &old); err != nil {
		return world.Tokens{}, err
	}
	var t world.Tokens
	for _, m := range []struct {
		name string
		role ops.Role
		dst  *string
	}{{"release-bot", ops.CI, &t.CI}, {"store-gateway", ops.Agent, &t.Agent}, {world.OnCall, ops.Commander, &t.OnCall}, {world.Manager, ops.Commander, &t.Manager}} {
		for _, o := range old.Items {
			if o.Name == m.name {
				if err := c.do(ctx, http.MethodDelete, api("tokens", o.ID), nil, nil); err != nil {
					return t, err
				}
			}
		}
		var made tokenView
		if err := c.do(ctx, http.MethodPost, "/api/v1/tokens", map[string]any{"name": m.name, "role": m.role}, &made); err != nil {
			return t, fmt.Errorf("a token for %s: %w", m.name, err)
		}
		*m.dst = made.Token
	}
	return t, nil
}
