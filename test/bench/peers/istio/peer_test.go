// Package istio pins Istio's control plane, whose own benchmarks are built from
// its module and run beside meshc's. The versions of its dependencies that its
// go.mod names are not all in public proxies: what go.mod says here stands for them.
package istio

import _ "istio.io/istio/pilot/pkg/xds"
