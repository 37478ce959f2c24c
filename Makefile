# make up       the whole deployment on this machine: hosts, balancer, time server, AWS API
# make test     everything: lint, types, scanners, unit tests, templates, program, and the rehearsal of the deployment
# `make help` lists the rest. PORT= and NAME= choose another port, or a second deployment beside the first; CONFIG= sets
# configuration values of Pulumi.yaml: make up CONFIG="instanceType=t3.small cpuCredits=unlimited". HOST_CPUS=0.2 and
# HOST_MEMORY=1g make each host as slow as a t3.micro without CPU credits.

SHELL := /bin/bash
PYTHON := .venv/bin/python
# Docker may want root (a user outside of its group). The environment carries proxies and certificates along; no compiled
# file shall belong to root. Looked at when it is needed: the engine may have to be installed first.
ROOT = $(shell [ -w /var/run/docker.sock ] || [ -n "$$DOCKER_HOST" ] || [ "$$(id -u)" = 0 ] || \
	echo sudo -E env PYTHONDONTWRITEBYTECODE=1)
# A question about AWS needs no Docker.
LOCAL_ROOT = $(if $(filter-out local,$(STACK)),,$(ROOT))
# The value of CONFIG goes to the program through the environment: neither make nor a shell expands it.
override CONFIG := $(value CONFIG)
export NAME PORT HOST_CPUS HOST_MEMORY STACK COMMAND CONFIG

# What make shell runs, as it is: $(...) in it is for the host's shell, and not for make. Not from the environment, as HOST.
ifeq (command line,$(origin COMMAND))
override COMMAND := $(value COMMAND)
else
override COMMAND :=
endif

# make logs HOST, make shell HOST: what follows is a host, and nothing to make. Not from the environment, where some shells
# keep this machine's own name.
ifneq (,$(filter logs shell,$(firstword $(MAKECMDGOALS))))
WHICH := $(or $(word 2,$(MAKECMDGOALS)),$(if $(filter command,$(origin HOST)),$(HOST)))
$(eval $(filter-out logs shell,$(WHICH)):;@:)
endif

# make drill NAME ...: what follows are names of drills, and nothing to make.
ifeq (drill,$(firstword $(MAKECMDGOALS)))
DRILLS := $(or $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS)),$(NAME))
$(eval $(filter-out drill,$(DRILLS)):;@:)
endif

.DEFAULT_GOAL := help
.PHONY: $(shell grep -oE '^[a-z-]+:' $(firstword $(MAKEFILE_LIST)) | tr -d :)

##@ Every day

up: setup ## deploy on this machine, or bring what is deployed up to date
	@scripts/engine.sh
	@scripts/image.sh
	@scripts/package.sh
	@$(ROOT) $(PYTHON) -m local up --config "$$CONFIG"

status: setup ## stacks, hosts (zone, release, health, clock error), URL
	@$(ROOT) $(PYTHON) -m local status

logs: setup ## what every part says; HOST=: one (a, 1, i-0123, balancer); FOLLOW=1: go on
	@$(ROOT) $(PYTHON) -m local logs $(addprefix --host ,$(WHICH)) $(if $(FOLLOW),--follow)

shell: setup ## a shell on a host: make shell a; COMMAND="docker ps": one command
	@$(ROOT) $(PYTHON) -m local shell $(addprefix --host ,$(WHICH)) --run "$$COMMAND"

check: setup ## run the healthcheck against the local deployment
	@$(ROOT) $(PYTHON) -m local check

test: lint scan unit served emulated browser rehearsal ## everything, from lint to the rehearsal of the deployment

down: setup ## remove the deployment from this machine
	@source scripts/common.sh; one_at_a_time # which removes what a script that was killed has left
	@scripts/engine.sh --installed; case $$? in \
	0) $(ROOT) $(PYTHON) -m local down ;; \
	3) echo "Nothing to do: no Docker engine is installed here." ;; \
	*) exit 1 ;; esac

##@ Deployments, here and on AWS

cloud: setup ## the local cloud alone, into which the pulumi CLI then deploys: stack local
	@scripts/engine.sh
	@$(ROOT) $(PYTHON) -m local start

reviewer: setup ## how the reviewer signs in, after make up CONFIG="reviewer=user"
	@$(ROOT) $(PYTHON) -m local reviewer

cost: setup ## its price an hour and a month; REGION=, HOSTS=, REQUESTS= a second, CONFIG=
	@$(PYTHON) -m ops.cost --config "$$CONFIG" $(addprefix --region ,$(REGION)) \
		$(addprefix --hosts ,$(HOSTS)) $(addprefix --requests-per-second ,$(REQUESTS))

reach: setup ## what the Internet reaches of it: exactly port 80? Here or STACK=prod
	@$(LOCAL_ROOT) $(PYTHON) -m ops.reach

drift: setup ## how what is deployed differs from this clone, here or STACK=prod
	@$(LOCAL_ROOT) $(PYTHON) -m ops.drift

leftovers: setup ## what is left of a deployment, here or STACK=prod; fails if anything is
	@$(LOCAL_ROOT) $(PYTHON) -m ops.leftovers

# Pulumi deletes the bucket's stack last. If it holds something that Pulumi does not know of, that fails, and then it can
# be emptied: nothing is left that would miss it.
destroy: setup ## remove a deployment from AWS: STACK=prod
	@test -n "$(STACK)" || { echo "error: say which: make destroy STACK=prod" >&2; exit 1; }
	@command -v pulumi >/dev/null || { echo "error: this needs the pulumi CLI" >&2; exit 1; }
	@pulumi destroy --stack "$(STACK)" || { $(PYTHON) -m ops.empty && pulumi destroy --yes --stack "$(STACK)"; }
	@$(PYTHON) -m ops.leftovers

##@ Tests, one kind at a time

lint: setup ## ruff, mypy, cfn-lint, shellcheck, actionlint, zizmor, node
	@scripts/lint.sh

scan: setup ## policies of the templates, secrets, known vulnerabilities, pins
	@scripts/scan.sh
	@$(PYTHON) -m pytest -q tests/scripts/scanners

# One more at a time than there are cores, as many tests wait for something.
# What they compile is kept, whatever the environment says of that: each of the processes would compile all of it anew.
TESTS := env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX=$(CURDIR)/build/pycache \
	$(PYTHON) -m pytest -q --numprocesses $$(($$(nproc) + 1)) --maxprocesses 5
unit: setup ## unit, template and program tests
	@scripts/tools.sh
	@$(TESTS) --dist worksteal -m 'not rehearsal and not scanners and not served and not emulated and not browser'

served: setup ## the service as it is run: gunicorn, HAProxy before it, OpenAPI, abuse
	@scripts/tools.sh
	@$(TESTS) --dist worksteal -m served

# A file at a time on each core: what it asks an emulator about is deployed once for all of its tests.
emulated: setup ## permissions before two evaluators; reach, drift, leftovers in an emulator
	@scripts/evaluators.sh
	@$(TESTS) --dist loadfile -m emulated

browser: setup ## the page for people, in Chromium
	@scripts/chromium.sh
	@$(TESTS) --numprocesses 5 --dist worksteal -m 'browser and not rehearsal' # a browser waits, most of the time

# An engine, and all that a deployment is made from; for those who deploy copies of this clone.
built: setup
	@scripts/engine.sh
	@scripts/stage.sh
	@scripts/image.sh
	@scripts/package.sh

rehearsal: built ## deploy, use, release, break and remove it, beside what is up
	@scripts/chromium.sh
	@$(ROOT) $(PYTHON) -m pytest -q -p no:cacheprovider -m rehearsal # no cache that is root's

drill: built ## break it in every way that it must survive; make drill NAME: in one way
	@$(ROOT) $(PYTHON) -m drills $(DRILLS)

abuse: setup ## send what nobody should send, to the local deployment or to URL=http://...
	@$(if $(URL),,$(ROOT)) $(PYTHON) -m tests.service.abuse $(if $(URL),--url $(URL))

##@ Measuring

bench: setup ## how fast the service is, and how exact the healthcheck (10 minutes)
	@scripts/engine.sh
	@scripts/image.sh
	@source scripts/common.sh; for tool in libluajit-5.1-2 wrk nginx; do [ -d build/debian/$$tool ] || { \
		command -v apt-get >/dev/null || die "wrk and nginx come from Debian packages: this needs a Debian machine"; \
		step "$$tool from Debian, to measure" unpack_deb $$tool; }; done
	@$(ROOT) $(PYTHON) -m bench.speed
	@$(PYTHON) -m bench.healthcheck

capacity: setup ## what a rate of requests takes and costs; renews docs/capacity.md
	@$(PYTHON) -m bench.capacity --write

##@ Building

setup: ## the Python packages, hash-checked, in .venv
	@scripts/setup.sh

run: setup ## the service alone on http://127.0.0.1:8000 (or PORT=), without Docker
	@TIMESERVICE_WORKERS=1 TIMESERVICE_BIND=127.0.0.1:$(or $(PORT),8000) TIMESERVICE_TIME_SERVER=$${TIMESERVICE_TIME_SERVER:-time.aws.com} \
		$(PYTHON) -m gunicorn --config service/gunicorn.conf.py

image: setup ## build/image.tar.gz, which the hosts load
	@scripts/engine.sh
	@scripts/image.sh

package: setup ## build/healthcheck.zip, the Lambda function's package
	@scripts/package.sh

check-image: setup ## the healthcheck as a container image, timeservice-healthcheck:VERSION
	@scripts/engine.sh
	@scripts/check-image.sh

sbom: image ## build/sbom.json: what is in the service's image (CycloneDX)
	@$(PYTHON) -m scan.sbom

licences: image package ## build/licences.txt: what is shipped, under which licences
	@$(PYTHON) -m scan.licences

screenshot: setup ## take docs/page*.png of the page that is up; URL= takes another
	@scripts/chromium.sh
	@$(PYTHON) -m tests.support.screenshot $(URL)

diagram: setup ## draw the deployment and a release; renews docs/deployment.md
	@$(PYTHON) -m ops.diagram

lock: setup ## renew the locks from the *.in files
	@scripts/lock.sh

clean: ## remove what was built in this clone
	@rm -rf build .venv .hypothesis .*_cache 2>/dev/null || sudo rm -rf build .venv .hypothesis .*_cache # some of it is root's

help: ## this list
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
