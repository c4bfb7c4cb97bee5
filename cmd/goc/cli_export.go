package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

type incidentExportCmd struct {
	ID     string `arg:"" help:"The incident." placeholder:"INC-N"`
	Output string `short:"o" help:"The file to write; - is stdout. Default: INC-N.jsonl.gz." placeholder:"FILE"`
}

// Run writes what was recorded around an incident into a replay file.
func (k *incidentExportCmd) Run(ctx context.Context, c *client, s streams) error {
	path := api("incidents", k.ID, "history")
	if k.Output == "-" {
		if c.JSON {
			return exit(exitUsage, errors.New("--json and -o - would both write to stdout"))
		}
		_, err := c.download(ctx, path, s.out)
		return err
	}
	file := cmp.Or(k.Output, k.ID+".jsonl.gz")
	n, err := c.downloadFile(ctx, path, file)
	if err != nil {
		return err
	}
	return c.show(s, map[string]any{"incident": k.ID, "file": file, "bytes": n}, func(w io.Writer) {
		fmt.Fprintf(w, "%s written, %d bytes: goc replay %s\n", file, n, file)
	})
}

// downloadFile writes the answer to a GET into a file; of an answer that broke off nothing is left.
func (c *client) downloadFile(ctx context.Context, path, file string) (int64, error) {
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, exit(exitUsage, err)
	}
	n, err := c.download(ctx, path, f)
	if err == nil {
		err = errors.Join(f.Close(), os.Rename(part, file))
	} else {
		f.Close()
	}
	if err != nil {
		os.Remove(part)
	}
	return n, err
}

// download writes the answer to a GET to w, however long it takes.
func (c *client) download(ctx context.Context, path string, w io.Writer) (int64, error) {
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return 0, c.unreachable(ctx, err)
		}
		return 0, c.refused(resp, answer, path)
	}
	file := &local{w: w}
	n, err := io.Copy(file, resp.Body)
	switch {
	case file.err != nil:
		return n, exit(exitFailed, file.err)
	case err != nil:
		return n, c.unreachable(ctx, err)
	}
	return n, nil
}

// local remembers what went wrong on our side of a copy.
type local struct {
	w   io.Writer
	err error
}

func (l *local) Write(b []byte) (n int, err error) {
	n, l.err = l.w.Write(b)
	return n, l.err
}
