package ops

import "context"

type principalKey struct{}

// WithPrincipal returns ctx that carries who acts. The web room puts it into each request that it let in, mounted
// handlers of other rooms included.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom says who acts. It is false for requests that nobody vouched for, such as a public hook's, which checks
// a signature itself.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}
