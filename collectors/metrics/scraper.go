package metrics

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"golang.org/x/sync/errgroup"
)

// settle is how long changes of targets are gathered before they are scraped. Prometheus waits up to ten seconds in
// all; a room that must know within a minute does not.
const settle = 500 * time.Millisecond

// scraper is Prometheus' discovery and scraping, joined.
type scraper struct {
	discovery *discovery.Manager
	scrapes   *scrape.Manager
	stop      context.CancelFunc // ends the discoverers
}

func newScraper(to storage.AppendableV2, reg prometheus.Registerer, log *slog.Logger) (*scraper, error) {
	if reg == nil {
		reg = prometheus.NewRegistry() // discovery does not start without
	}
	sd, err := discovery.CreateAndRegisterSDMetrics(reg)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &scraper{stop: stop}
	s.discovery = discovery.NewManager(ctx, quietLogger(log, "discovery"), reg, sd, discovery.Name("scrape"), discovery.Updatert(settle))
	if s.discovery == nil {
		stop()
		return nil, errors.New("metrics: the discovery of targets did not start; its metrics are registered twice")
	}
	s.scrapes, err = scrape.NewManager(&scrape.Options{DiscoveryReloadInterval: model.Duration(settle), DiscoveryReloadOnStartup: true},
		quietLogger(log, "scrape"), nil, nil, to, reg)
	if err != nil {
		stop()
		return nil, err
	}
	return s, nil
}

// apply makes c the configuration of both. A configuration that is refused leaves the old one at work.
func (s *scraper) apply(c *config.Config) error {
	if err := s.scrapes.ApplyConfig(c); err != nil {
		return err
	}
	targets := map[string]discovery.Configs{}
	for _, sc := range c.ScrapeConfigs {
		targets[sc.JobName] = sc.ServiceDiscoveryConfigs
	}
	return s.discovery.ApplyConfig(targets)
}

func (s *scraper) run(ctx context.Context) error {
	var group errgroup.Group
	group.Go(func() error { return s.scrapes.Run(s.discovery.SyncCh()) })
	group.Go(s.discovery.Run)
	<-ctx.Done()
	s.stop()
	s.scrapes.Stop()
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (s *scraper) close() { s.stop() }
