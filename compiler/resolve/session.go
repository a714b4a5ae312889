package resolve

import (
	"slices"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/memo"
	"github.com/meshc/meshc/compiler/syntax"
)

// Session resolves objects that change. All that it is asked between Begin and
// the end of an edit of its graph is answered for the objects as the edit has them.
type Session struct {
	*resolver
	last *assembly
}

// NewSession starts without an object. Another configuration or other known facts
// are another session.
func NewSession(g *memo.Graph, config *syntax.Config, known ir.Known, opts Options) *Session {
	return &Session{newResolver(g, config, known, opts), &assembly{}}
}

// Set makes the objects of some names others, within an edit of the graph.
func (s *Session) Set(changes syntax.Edit) { s.setObjects(changes) }

// Findings are all findings, in sections that stay the same while what they are
// about does.
func (s *Session) Findings() []*diag.Section { return s.sections() }

// Result is what the objects mean now. It is not changed by later edits, and
// shares with the last one what is the same.
func (s *Session) Result() Result {
	s.last = s.assemble(s.last)
	return s.last.result
}

// Peek is the mesh and the inventory of Result within an edit that will be rolled back,
// without where things are written.
func (s *Session) Peek() (*ir.Mesh, *ir.Inventory) {
	a := &assembly{regions: s.regions.Get(struct{}{})}
	if len(s.last.regions) > 0 && slices.Equal(a.regions, s.last.regions) {
		return s.last.result.Mesh, s.last.result.Inventory
	}
	return s.mesh(a, s.last), a.inventory(s.last)
}

// resolver is the functions of a session. Its settings never change.
type resolver struct {
	config      *syntax.Config
	opts        Options
	known       *knowledge
	settings    ir.Settings
	compat      ir.Compat
	breakGlass  time.Duration           // the longest of one
	policies    map[string]ir.Namespace // of namespaces that meshc.yaml names
	regexes     map[string]*pattern
	configFound *diag.Section // about meshc.yaml itself

	graph *memo.Graph
	inputs
	tables
	out *part // of the unit under way
}

// tables are the remembered functions, each next to the code that makes its values.
type tables struct {
	configured *memo.Table[struct{}, *diag.Section] // namespaces of meshc.yaml that are not there
	space      *memo.Table[string, *namespace]
	ours       *memo.Table[string, bool] // not labelled for another mesh
	meshed     *memo.Table[string, bool] // unless a workload says otherwise

	workload  *memo.Table[syntax.Name, *workload]
	written   *memo.Table[ir.ServiceID, *writtenService]
	hand      *memo.Table[syntax.Name, *workload] // with a spec
	post      *memo.Table[syntax.Name, *post]
	primaries *memo.Table[string, *primaries]
	roster    *memo.Table[string, *roster]
	crew      *memo.Table[string, []*workload] // on the posts of the roster
	selector  *memo.Table[ir.ServiceID, *selector]
	seat      *memo.Table[ir.ServiceID, *seat]
	backing   *memo.Table[string, *backing]
	declared  *memo.Table[ir.ServiceID, *service]
	running   *memo.Table[accountName, []*workload]
	backed    *memo.Table[syntax.Name, []ir.ServiceID] // services of a workload

	listing *memo.Table[string, *part] // accounts of a namespace that are in the mesh whatever policy says
	account *memo.Table[accountName, *account]
	people  *memo.Table[string, []string] // names of the accounts of a namespace
	binding *memo.Table[ir.ServiceID, *binding]
	subject *memo.Table[ir.ServiceID, *target]
	wanted  *memo.Table[string, []ir.Identity] // destinations of a namespace's targets

	group   *memo.Table[ir.ServiceID, *routeGroup]
	service *memo.Table[ir.ServiceID, *service]
	within  *memo.Table[string, []ir.ServiceID] // services of a namespace that the mesh has, in order
	asked   *memo.Table[string, []ir.ServiceID] // services that splits of a namespace name
	splits  *memo.Table[string, *splits]
	rooted  *memo.Table[ir.ServiceID, bool] // a split without matches sends every call to its leaves
	settled *memo.Table[ir.ServiceID, *settled]
	ports   *memo.Table[ir.ServiceID, *service] // settled, and another only when its meaning is
	offer   *memo.Table[ir.ServiceID, *ir.Service]

	cast    *memo.Table[string, *cast]
	roles   *memo.Table[string, []*role]
	acting  *memo.Table[ir.Identity, []*role] // what an identity backs: another only when its services are
	actor   *memo.Table[roleKey, *role]
	role    *memo.Table[roleKey, *settledRole]
	inbound *memo.Table[roleKey, []ir.InboundPort]
	reach   *memo.Table[ir.Identity, *reach]
	targets *memo.Table[string, []ir.ServiceID] // of a namespace, in order
	grants  *memo.Table[ir.ServiceID, *granted]
	given   *memo.Table[ir.ServiceID, []ir.Grant] // granted, and another only when its meaning is
	opening *memo.Table[ir.ServiceID, *granted]   // of a BreakGlass
	lent    *memo.Table[ir.ServiceID, []ir.Grant] // opening, and another only when its meaning is
	shares  *memo.Table[string, *shares]
	pods    *memo.Table[*workload, *ir.InventoryWorkload]
	stock   *memo.Table[string, *stock]
	chunk   *memo.Table[chunkKey, *chunk]
	once    *memo.Table[string, diag.List]       // findings of a region that several functions may have made
	several *memo.Table[struct{}, *diag.Section] // these of all regions, each once
	spaces  *memo.Table[struct{}, []string]      // names of the regions
	regions *memo.Table[struct{}, []*region]
	region  *memo.Table[string, *region]

	// What a region puts into the mesh.
	listed   *memo.Table[chunkKey, []ir.Identity]
	members  *memo.Table[string, []ir.Identity]
	staffed  *memo.Table[string, []ir.Identity]
	offers   *memo.Table[string, []ir.Service]
	played   *memo.Table[string, []namedRole]
	bestowed *memo.Table[string, []ir.Grant]
	divided  *memo.Table[string, []ir.Split]
}

func newResolver(g *memo.Graph, config *syntax.Config, known ir.Known, opts Options) *resolver {
	r := &resolver{config: config, opts: opts, policies: map[string]ir.Namespace{}, regexes: map[string]*pattern{}, graph: g}
	r.inputs = newInputs(r.graph)
	r.known = newKnowledge(known, config.Assume)
	written := r.unit(func() {
		r.checkAssumptions(config.Assume)
		r.readSettings()
		r.readPolicies()
	})
	r.configFound = &diag.Section{Batches: []*diag.List{&written.findings}}
	r.known.settle(r.settings.TrustDomain, r.home)
	r.makeTables()
	return r
}

// The levels of gates: what is read through one of them is of a lower level.
const (
	gateWritten = 1 + iota // what others look for
	gateSplit
	gateSettled // services and roles with their ports
	gateGranted
)

func (r *resolver) makeTables() {
	g := r.graph
	r.configured = memo.Func(g, memo.Is, quiet(r, func(struct{}) *diag.Section {
		return &diag.Section{Batches: []*diag.List{&r.unit(r.findNamespaces).findings}}
	}))
	r.space = memo.Func(g, memo.Is, quiet(r, r.readNamespace))
	r.ours = memo.Func(g, memo.Is, quiet(r, func(ns string) bool { return r.space.Get(ns).ours }))
	r.meshed = memo.Func(g, memo.Is, quiet(r, func(ns string) bool { n := r.space.Get(ns); return n.ours && !n.disabled }))
	r.makeBacking()

	r.listing = memo.Func(g, memo.Is, quiet(r, r.readListing))
	r.account = memo.Func(g, sameAccount, quiet(r, r.readAccount))
	r.people = memo.Func(g, equalSlices, quiet(r, r.readPeople))
	r.binding = memo.Func(g, memo.Is, quiet(r, r.readBinding))
	r.subject = memo.Func(g, memo.Is, quiet(r, r.readTarget))
	r.wanted = memo.Func(g, equalSlices, quiet(r, r.readWanted))

	r.group = memo.Func(g, memo.Is, quiet(r, r.readGroup))
	r.service = memo.Func(g, sameDeclaration, quiet(r, r.readService))
	r.within = memo.Func(g, equalSlices, quiet(r, r.readWithin))
	r.asked = memo.Gate(g, gateWritten, equalSlices, quiet(r, r.readAsked))
	r.splits = memo.Func(g, memo.Is, quiet(r, r.readSplits))
	r.rooted = memo.Gate(g, gateSplit, memo.Is, quiet(r, func(id ir.ServiceID) bool { return r.splits.Get(id.Namespace).roots[id] }))
	r.settled = memo.Func(g, memo.Is, quiet(r, r.settleService))
	r.ports = memo.Func(g, sameService, quiet(r, func(id ir.ServiceID) *service { return r.settled.Get(id).service }))
	r.offer = memo.Gate(g, gateSettled, sameOffer, quiet(r, r.readOffer))

	r.cast = memo.Func(g, memo.Is, quiet(r, r.readRoles))
	r.roles = memo.Func(g, sameRoles, quiet(r, func(ns string) []*role { return r.cast.Get(ns).list }))
	r.acting = memo.Func(g, sameActing, quiet(r, r.readActing))
	r.actor = memo.Func(g, sameRole, quiet(r, func(k roleKey) *role { return r.cast.Get(k.namespace).roles[k.name] }))
	r.role = memo.Func(g, memo.Is, quiet(r, r.settleRole))
	r.inbound = memo.Gate(g, gateSettled, same(ir.SameInboundPort), quiet(r, func(k roleKey) []ir.InboundPort { return r.role.Get(k).ports }))
	r.reach = memo.Func(g, sameReach, quiet(r, r.readReach))
	r.targets = memo.Func(g, equalSlices, quiet(r, r.readTargets))
	r.grants = memo.Func(g, memo.Is, quiet(r, r.settleGrants))
	r.given = memo.Gate(g, gateGranted, same(ir.SameGrant), quiet(r, func(id ir.ServiceID) []ir.Grant { return r.grants.Get(id).list }))
	r.opening = memo.Func(g, memo.Is, quiet(r, r.open))
	r.lent = memo.Gate(g, gateGranted, same(ir.SameGrant), quiet(r, func(id ir.ServiceID) []ir.Grant { return r.opening.Get(id).list }))
	r.shares = memo.Func(g, memo.Is, quiet(r, r.settleSplits))
	r.pods = memo.Func(g, memo.Is, quiet(r, r.inventoryOf))
	r.stock = memo.Func(g, memo.Is, quiet(r, r.readStock))
	r.makeRegions()
}

func (r *resolver) makeBacking() {
	g := r.graph
	r.workload = memo.Func(g, memo.Is, quiet(r, r.readWorkload))
	r.written = memo.Func(g, memo.Is, quiet(r, r.readWritten))
	r.hand = memo.Func(g, memo.Is, quiet(r, r.readHand))
	r.post = memo.Gate(g, gateWritten, samePost, quiet(r, r.readPost))
	r.primaries = memo.Func(g, memo.Is, quiet(r, r.readPrimaries))
	r.roster = memo.Func(g, sameRoster, quiet(r, r.readRoster))
	r.crew = memo.Func(g, equalSlices, quiet(r, func(ns string) []*workload { return r.hands(r.roster.Get(ns).posts) }))
	r.selector = memo.Gate(g, gateWritten, sameSelector, quiet(r, r.readSelector))
	r.backing = memo.Func(g, memo.Is, quiet(r, r.readBacking))
	r.seat = memo.Func(g, sameSeat, quiet(r, func(id ir.ServiceID) *seat { return r.backing.Get(id.Namespace).services[id] }))
	r.declared = memo.Func(g, sameDeclaration, quiet(r, r.readDeclared))
	r.running = memo.Func(g, equalSlices, quiet(r, func(a accountName) []*workload { return r.hands(r.backing.Get(a.namespace).accounts[a.name]) }))
	r.backed = memo.Func(g, equalSlices, quiet(r, func(name syntax.Name) []ir.ServiceID { return r.backing.Get(name.Namespace).backed[r.post.Get(name)] }))
}

func (r *resolver) makeRegions() {
	g := r.graph
	r.chunk = memo.Func(g, memo.Is, quiet(r, r.readChunk))
	r.once = memo.Func(g, sameFindings, quiet(r, r.readOnce))
	r.several = memo.Func(g, sameSection, quiet(r, r.readSeveral))
	r.spaces = memo.Func(g, equalSlices, quiet(r, r.readSpaces))
	r.regions = memo.Func(g, equalSlices, quiet(r, r.readRegions))
	r.region = memo.Func(g, memo.Is, quiet(r, r.readRegion))

	r.listed = memo.Func(g, equalSlices, quiet(r, r.readListed))
	r.members = memo.Func(g, equalSlices, quiet(r, r.readMembers))
	r.staffed = memo.Func(g, equalSlices, quiet(r, r.readStaffed))
	r.offers = memo.Func(g, same(ir.SameService), quiet(r, r.readOffers))
	r.played = memo.Func(g, same(sameNamedRole), quiet(r, r.readPlayed))
	r.bestowed = memo.Func(g, same(ir.SameGrant), quiet(r, r.readBestowed))
	r.divided = memo.Gate(g, gateSettled, same(ir.SameSplit), quiet(r, func(ns string) []ir.Split { return r.shares.Get(ns).list }))
}

// same compares lists by their elements.
func same[T any](is func(a, b *T) bool) func(a, b []T) bool {
	return func(a, b []T) bool { return ir.EqualBy(a, b, is) }
}
