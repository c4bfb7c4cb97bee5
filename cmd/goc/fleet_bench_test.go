package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"goc/world/simulate"
)

// BenchmarkHeartbeatsBesidePrometheus feeds the same fleet to goc as heartbeats and to Debian's Prometheus as samples by
// remote write, one after the other in one run: 100,000 devices, 20 rounds, in requests of 1,000 and of 20. Both are
// programs of their own with their storage on disk, and know every device beforehand; what is counted is the processor
// time of the server alone, and how many came through while client and server shared the machine.
func BenchmarkHeartbeatsBesidePrometheus(b *testing.B) {
	for _, batch := range []int{1000, 20} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			fleet := simulate.NewFleet(peerDevices, 50, 1)
			for range b.N {
				ours := feedAll(b, benchGoc(b), "/api/v1/heartbeats", batch, func(body []byte, from, to, round int) []byte {
					return fleet.AppendBeats(body, from, to, time.Now())
				})
				peer := feedAll(b, benchPrometheus(b), "/api/v1/write", batch, remoteWrites(fleet, batch), "Content-Encoding: snappy", "X-Prometheus-Remote-Write-Version: 0.1.0")
				b.ReportMetric(ours.cpu, "goc-cpu-µs/beat")
				b.ReportMetric(peer.cpu, "prometheus-cpu-µs/sample")
				b.ReportMetric(ours.rate, "goc-beats/s")
				b.ReportMetric(peer.rate, "prometheus-samples/s")
				b.ReportMetric(ours.rate/peer.rate, "times")
				b.ReportMetric(load(b), "load")
			}
		})
	}
}

const (
	peerDevices = 100_000
	peerRounds  = 20
	peerLines   = 4
	peerUnder   = 16 // requests under way on a connection
)

// fed is what feeding cost: µs of the server's processor time for one, and how many a second.
type fed struct{ cpu, rate float64 }

// feedAll sends every device once, so that all are known, and then the rounds that count.
func feedAll(b *testing.B, p *measured, path string, batch int, body func(b []byte, from, to, round int) []byte, header ...string) fed {
	b.Helper()
	defer p.stop()
	to, err := url.Parse(p.url + path)
	if err != nil {
		b.Fatal(err)
	}
	round(b, to, batch, 0, 1, body, header)
	began, used := time.Now(), p.cpu(b)
	round(b, to, batch, 1, peerRounds+1, body, header)
	n := float64(peerDevices * peerRounds)
	return fed{cpu: float64((p.cpu(b) - used).Microseconds()) / n, rate: n / time.Since(began).Seconds()}
}

// round sends rounds over a few connections, each with several requests under way.
func round(b *testing.B, to *url.URL, batch, first, end int, body func(b []byte, from, to, round int) []byte, header []string) {
	var all sync.WaitGroup
	for n := range peerLines {
		all.Go(func() {
			line, err := simulate.Dial(b.Context(), to, header...)
			if err != nil {
				b.Error(err)
				return
			}
			defer line.Close()
			read := func(left int) {
				for line.Due() > left {
					if a, err := line.Answer(); err != nil || a.Status/100 != 2 {
						b.Error(a.Status, string(a.Body), err)
						return
					}
				}
			}
			var buf []byte
			for r := first; r < end && !b.Failed(); r++ {
				for from := n * batch; from < peerDevices; from += batch * peerLines {
					buf = body(buf[:0], from, from+batch, r)
					if err := line.Post(buf); err != nil {
						b.Error(err)
						return
					}
					if line.Due() >= peerUnder {
						read(peerUnder / 2)
					}
				}
			}
			read(0)
		})
	}
	all.Wait()
}

// remoteWrites are the requests of all rounds, packed beforehand, so that the client costs nothing.
func remoteWrites(f *simulate.Fleet, batch int) func([]byte, int, int, int) []byte {
	all := make([][][]byte, peerRounds+1)
	start := time.Now().Add(-time.Minute).UnixMilli()
	for r := range all {
		for from := 0; from < peerDevices; from += batch {
			var req []byte
			for i := from; i < from+batch; i++ {
				req = bytesField(req, 1, series(f, i, start+int64(r)*1000))
			}
			all[r] = append(all[r], s2.EncodeSnappy(nil, req))
		}
	}
	return func(b []byte, from, _, round int) []byte { return append(b, all[round][from/batch]...) }
}

// series is a TimeSeries of remote write with one sample: that a device is up.
func series(f *simulate.Fleet, device int, at int64) []byte {
	store, name, kind, model, firmware := f.Labels(device)
	var out []byte
	for _, l := range [][2]string{{"__name__", "device_up"}, {"device", name}, {"firmware", firmware}, {"kind", kind}, {"model", model}, {"store", store}} {
		out = bytesField(out, 1, bytesField(bytesField(nil, 1, []byte(l[0])), 2, []byte(l[1])))
	}
	sample := binary.LittleEndian.AppendUint64([]byte{1<<3 | 1}, math.Float64bits(1))
	sample = binary.AppendUvarint(append(sample, 2<<3), uint64(at))
	return bytesField(out, 2, sample)
}

// bytesField writes a field of bytes as protobuf has it.
func bytesField(b []byte, number byte, v []byte) []byte {
	b = binary.AppendUvarint(append(b, number<<3|2), uint64(len(v)))
	return append(b, v...)
}

// measured is a server that is measured, in a process of its own.
type measured struct {
	url string
	cmd *exec.Cmd
}

// benchGoc starts goc: the program that GOC_BIN names, else this test's own.
func benchGoc(b *testing.B) *measured {
	b.Helper()
	config, listen := serveYAML(b, "metrics: {sample_interval: 1h}\n")
	return startGoc(b, config, listen)
}

func startGoc(b *testing.B, config, listen string) *measured {
	b.Helper()
	cmd := gocCommand(b.Context(), "serve", "--config", config, "--log-level", "error")
	if bin := os.Getenv("GOC_BIN"); bin != "" {
		cmd.Path, cmd.Args[0] = bin, bin
	}
	return startProgram(b, cmd, "http://"+listen, "/readyz")
}

func benchPrometheus(b *testing.B) *measured {
	b.Helper()
	path := program(b, "prometheus")
	dir, listen := b.TempDir(), freePort(b)
	if err := os.WriteFile(dir+"/prometheus.yml", nil, 0o644); err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), path, "--config.file="+dir+"/prometheus.yml", "--storage.tsdb.path="+dir+"/data",
		"--web.listen-address="+listen, "--web.enable-remote-write-receiver", "--log.level=error")
	return startProgram(b, cmd, "http://"+listen, "/-/ready")
}

func startProgram(b *testing.B, cmd *exec.Cmd, base, ready string) *measured {
	b.Helper()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	p := &measured{base, cmd}
	b.Cleanup(p.stop)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get(base + ready)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return p
			}
		}
		if time.Now().After(deadline) {
			b.Fatal(cmd.Path, "is not ready within a minute:", err)
		}
	}
}

// stop ends it as an operator would, and waits.
func (p *measured) stop() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Signal(os.Interrupt)
		p.cmd.Wait()
	}
}

// cpu is what the server has used of the processors, to 10 ms.
func (p *measured) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// resident is the server's memory in bytes, anonymous that without the pages of files, which are mostly its own program's.
func (p *measured) resident(b *testing.B) float64  { return p.memory(b, 0) }
func (p *measured) anonymous(b *testing.B) float64 { return p.memory(b, 1) }

// memory is the second field of statm, less the third as often as said.
func (p *measured) memory(b *testing.B, less int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(text))
	all, _ := strconv.Atoi(f[1])
	files, _ := strconv.Atoi(f[2])
	return float64((all - less*files) * os.Getpagesize())
}

// load is how much the machine had to do in the last minute.
func load(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		b.Fatal(err)
	}
	v, _ := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	return v
}
