package metrics

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// BenchmarkCollect is what a scrape costs, but for writing it.
func BenchmarkCollect(b *testing.B) {
	c, err := newCollector(newWorld().sources())
	if err != nil {
		b.Fatal(err)
	}
	ch := make(chan prometheus.Metric, 1000)
	for b.Loop() {
		c.Collect(ch)
		for len(ch) > 0 {
			<-ch
		}
	}
}
