package server

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/meshc/meshc/xds/cache"
	"github.com/meshc/meshc/xds/link"
)

// metrics are the server's own, in a registry of its own: several servers may
// live in one process.
type metrics struct {
	registry     *prometheus.Registry
	streams      *prometheus.GaugeVec
	rejected     *prometheus.CounterVec
	pushes       *prometheus.CounterVec
	sent         *prometheus.CounterVec
	removed      *prometheus.CounterVec
	acks         *prometheus.CounterVec
	nacks        *prometheus.CounterVec
	ackTime      *prometheus.HistogramVec
	pushTime     prometheus.Histogram
	resources    *prometheus.GaugeVec
	size         *prometheus.GaugeVec
	leaves       prometheus.Counter
	leafFailures prometheus.Counter
	bundle       *prometheus.GaugeVec
	drift        *prometheus.GaugeVec
	degraded     *prometheus.GaugeVec
	ends         *prometheus.GaugeVec
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "meshc", Subsystem: "xds", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "meshc", Subsystem: "xds", Name: name, Help: help}, labels)
	}
	buckets := prometheus.ExponentialBuckets(0.0005, 2, 15) // half a millisecond to 8 s
	m := &metrics{
		registry:  prometheus.NewRegistry(),
		streams:   gauge("streams", "Streams that are open, by protocol.", "protocol"),
		rejected:  counter("streams_rejected_total", "Streams that were refused, by gRPC code.", "code"),
		pushes:    counter("pushes_total", "Responses sent, by type.", "type"),
		sent:      counter("resources_sent_total", "Resources sent, by type.", "type"),
		removed:   counter("resources_removed_total", "Resources taken away from proxies, by type.", "type"),
		acks:      counter("acks_total", "Responses that proxies acknowledged, by type.", "type"),
		nacks:     counter("nacks_total", "Responses that proxies refused or never answered, by type.", "type"),
		resources: gauge("resources", "Resources of the bundle as linked, by type.", "type"),
		size:      gauge("config_size_bytes", "Bytes of the bundle's resources as linked, by type.", "type"),
		bundle:    gauge("bundle_info", "The bundle that is served: always 1.", "mesh", "policy_digest", "bundle_digest", "revision"),
		drift:     gauge("drift_findings", "Differences between what was compiled and what runs, by code.", "code"),
		degraded:  gauge("degraded", "1 while the newest bundle or catalog is not what is served.", "what"),
		ends:      gauge("authority_expiry_timestamp_seconds", "When the root and the intermediate that issue end, in seconds since 1970.", "what"),
		ackTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "meshc", Subsystem: "xds", Name: "ack_duration_seconds",
			Help: "Time from sending a response to its acknowledgement, by type.", Buckets: buckets}, []string{"type"}),
		pushTime: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "meshc", Subsystem: "xds", Name: "push_duration_seconds",
			Help: "Time to link a change and hand it to all streams.", Buckets: buckets}),
		leaves: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "meshc", Subsystem: "xds", Name: "leaf_certificates_issued_total",
			Help: "Certificates issued to proxies."}),
		leafFailures: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "meshc", Subsystem: "xds", Name: "leaf_certificate_failures_total",
			Help: "Certificates that could not be issued."}),
	}
	m.registry.MustRegister(m.streams, m.rejected, m.pushes, m.sent, m.removed, m.acks, m.nacks, m.resources, m.size, m.bundle, m.drift, m.degraded, m.ends,
		m.ackTime, m.pushTime, m.leaves, m.leafFailures)
	for t := range link.Types {
		for _, v := range []*prometheus.CounterVec{m.pushes, m.acks, m.nacks} {
			v.WithLabelValues(t.String())
		}
	}
	return m
}

// observer counts what happens on a session.
func (m *metrics) observer() cache.Observer {
	return cache.Observer{
		Pushed: func(t link.Type, resources, removed int) {
			m.pushes.WithLabelValues(t.String()).Inc()
			m.sent.WithLabelValues(t.String()).Add(float64(resources))
			m.removed.WithLabelValues(t.String()).Add(float64(removed))
		},
		Acked: func(t link.Type, after time.Duration) {
			m.acks.WithLabelValues(t.String()).Inc()
			m.ackTime.WithLabelValues(t.String()).Observe(after.Seconds())
		},
		Refused: func(t link.Type, _ string) { m.nacks.WithLabelValues(t.String()).Inc() },
	}
}

// pushed describes a new world.
func (m *metrics) pushed(w *link.World, took time.Duration) {
	m.pushTime.Observe(took.Seconds())
	if !w.Changes().Structure {
		return
	}
	manifest := w.Bundle().Manifest
	m.bundle.Reset()
	m.bundle.WithLabelValues(manifest.Mesh, manifest.PolicyDigest, manifest.BundleDigest, manifest.Revision).Set(1)
	counts, sizes := w.Sizes()
	for t := range link.Types {
		m.resources.WithLabelValues(t.String()).Set(float64(counts[t]))
		m.size.WithLabelValues(t.String()).Set(float64(sizes[t]))
	}
	m.drift.Reset()
	for _, f := range w.Findings() {
		m.drift.WithLabelValues(string(f.Code)).Inc()
	}
}

func version(major, minor, patch uint32) string { return fmt.Sprintf("%d.%d.%d", major, minor, patch) }
