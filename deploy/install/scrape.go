package install

import (
	"context"
	"fmt"

	"github.com/meshc/meshc/deploy/api"
)

// scraping are the annotations that Prometheus reads, as injection writes them.
var scraping = []struct{ name, value string }{
	{"prometheus.io/scrape", "true"}, {"prometheus.io/port", "15010"}, {"prometheus.io/path", "/stats/prometheus"},
}

// Scrape asks Prometheus for the counters of a namespace's proxies, of those to come by
// the namespace and of those that run by their pods, or no longer. The count is of pods
// that were changed; one whose application is scraped itself is not.
func Scrape(ctx context.Context, c *api.Client, name string, on bool) (int, error) {
	word := any("enabled")
	if !on {
		word = "disabled"
	}
	if err := label(ctx, c, name, nil, api.Object{"meshc.dev/metrics": word}); err != nil {
		return 0, err
	}
	pods, err := c.List(ctx, api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: name}, "meshc.dev/injected=true")
	if err != nil {
		return 0, err
	}
	count := 0
	for _, p := range pods {
		annotations := func(n string) string { return api.Text(p, "metadata", "annotations", n) }
		ours := annotations("prometheus.io/port") == scraping[1].value
		if on == ours || on && annotations("prometheus.io/scrape") != "" {
			continue
		}
		fields := api.Object{}
		for _, s := range scraping {
			if fields[s.name] = any(s.value); !on {
				fields[s.name] = nil
			}
		}
		if _, err := c.Merge(ctx, api.RefOf(p), api.Object{"metadata": api.Object{"annotations": fields}}); err != nil {
			return count, fmt.Errorf("%s: %w", api.RefOf(p), err)
		}
		count++
	}
	return count, nil
}
