package world

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"goc/ops"
)

// gocClient speaks to GOC's public API as any CI, device or person would.
type gocClient struct {
	base, token string
	http        *http.Client
}

func newClient(base, token string) *gocClient {
	return &gocClient{base: base, token: token, http: &http.Client{Timeout: 10 * time.Second}}
}

// do sends body as JSON and reads the answer into out; both may be nil. An answer outside 2xx is an error with its detail.
func (c *gocClient) do(ctx context.Context, method, path string, body, out any) error {
	var rd io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		rd = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, rd)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s answered %d: %s", method, path, resp.StatusCode, bytes.TrimSpace(answer[:min(len(answer), 400)]))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

func (c *gocClient) record(ctx context.Context, ch map[string]any) (ops.Change, error) {
	var out ops.Change
	return out, c.do(ctx, http.MethodPost, "/api/v1/changes", ch, &out)
}

func (c *gocClient) event(ctx context.Context, id, event string, stage int, note string) error {
	body := map[string]any{"event": event}
	if stage > 0 {
		body["stage"] = stage
	}
	if note != "" {
		body["note"] = note
	}
	return c.do(ctx, http.MethodPost, "/api/v1/changes/"+url.PathEscape(id)+"/events", body, nil)
}

func (c *gocClient) check(ctx context.Context, id string, stage int) (ops.Decision, error) {
	var d ops.Decision
	return d, c.do(ctx, http.MethodPost, "/api/v1/gate/check", map[string]any{"change_id": id, "stage": stage}, &d)
}

func (c *gocClient) incidents(ctx context.Context) ([]ops.Incident, error) {
	var l ops.List[ops.Incident]
	return l.Items, c.do(ctx, http.MethodGet, "/api/v1/incidents?state=active", nil, &l)
}
