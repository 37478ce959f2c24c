# make up     deploy the whole service on this machine: hosts, balancer, time server, AWS API
# make test   run every check, from lint to the rehearsal of the deployment
# make help   list the other targets
#
# PORT= takes another port, NAME= makes a second deployment beside the first, and CONFIG= sets values
# of Pulumi.yaml: make up CONFIG="instanceType=t3.small cpuCredits=unlimited". HOST_CPUS=0.2 and
# HOST_MEMORY=1g make each host as slow as a t3.micro without CPU credits. make up keeps the CONFIG of
# earlier runs; CONFIG="KEY=" clears a setting.

PYTHON := .venv/bin/python
# Runs a command as root if Docker's socket is closed to this user.
SUDO := scripts/with-docker.sh
# A deployment on AWS needs no Docker.
LOCAL_SUDO = $(if $(filter-out local,$(STACK)),,$(SUDO))

# These variables may be set for other work, and must change nothing here. scripts/common.sh has
# more.
unexport BASH_ENV ENV SHELLOPTS CDPATH GREP_OPTIONS POSIXLY_CORRECT \
	$(filter PYTHON% PYTEST_%,$(.VARIABLES))
# Several targets run one after the other, even if MAKEFLAGS has -j.
.NOTPARALLEL:

# Programs get these from the environment, so no value is ever a part of a shell's command line.
# scripts/common.sh hands them to sudo, and scripts/toolbox.sh to the toolbox.
export NAME PORT HOST HOST_CPUS HOST_MEMORY STACK ADOPT CONFIG COMMAND FOLLOW REGION HOSTS DRILLS
# The shell of a host expands $(...) in them, and make does not.
override CONFIG := $(value CONFIG)
override COMMAND := $(if $(filter command,$(origin COMMAND)),$(value COMMAND))
# Some shells keep this machine's own name in HOST.
override HOST := $(if $(filter command,$(origin HOST)),$(HOST))

# make drill DRILL ...: the words after it are names of drills, and no targets.
DRILLS := $(if $(filter drill,$(firstword $(MAKECMDGOALS))),$(filter-out drill,$(MAKECMDGOALS)))
ifneq (,$(DRILLS))
$(DRILLS): ; @:
endif

.DEFAULT_GOAL := help
.PHONY: in_toolbox $(shell grep -oE '^[a-z-]+:' $(firstword $(MAKEFILE_LIST)) | tr -d :)

# Where this machine lacks what the recipes need, a container runs all goals (scripts/toolbox.sh).
# This is parsed by macOS's make as well, which is 3.81, and needs no shell but sh.
ifneq (,$(filter-out 0 1 inside,$(TOOLBOX)))
$(error TOOLBOX=1 runs make in the toolbox, TOOLBOX=0 on this machine)
endif
export TOOLBOX
# On AWS, these need no Debian, but this machine's pulumi CLI and AWS profile.
ON_AWS := $(if $(filter 1,$(TOOLBOX)),,$(if $(filter-out local,$(STACK)),preflight repair destroy reach drift leftovers))
ifneq (,$(filter-out help clean $(ON_AWS),$(MAKECMDGOALS)))
export REASON := $(shell TOOLBOX=$(TOOLBOX) scripts/toolbox.sh find_reason)
endif
ifneq (,$(REASON))
export GOALS := $(MAKECMDGOALS)
$(filter-out $(DRILLS),$(MAKECMDGOALS)): in_toolbox ; @:
in_toolbox: ; @scripts/toolbox.sh run
else

##@ Every day

# Values that are given are checked before anything is built, which takes 2 s. `local up` checks all.
up: export TIMESERVICE_STARTED := $(or $(TIMESERVICE_STARTED),$(shell date +%s))
up: ## deploy on this machine, or update what is deployed
	@$(if $(STACK)$(CONFIG)$(NAME)$(PORT)$(HOST_CPUS)$(HOST_MEMORY),scripts/setup.sh && \
		$(PYTHON) -m local validate)
	@scripts/engine.sh
	@scripts/port.sh
	@scripts/build.sh
	@$(SUDO) $(PYTHON) -m local up

status: setup ## print stacks, hosts (zone, release, health, clock error), alarms, URL
	@$(SUDO) $(PYTHON) -m local status

logs: setup ## print all logs, or those of HOST= (a, i-0123, function); FOLLOW=1 follows
	@$(SUDO) $(PYTHON) -m local logs

shell: setup ## open a shell on a host: HOST=a; COMMAND="docker ps" runs one command
	@$(SUDO) $(PYTHON) -m local shell

check: setup ## run the healthcheck against the local deployment
	@$(SUDO) $(PYTHON) -m local check

test: lint scan ## run every check, from lint to the rehearsal
	@scripts/test.sh

down: setup ## remove the deployment from this machine
	@bash -c 'source scripts/common.sh; one_at_a_time' # deletes files of scripts that were killed
	@scripts/engine.sh --installed; case $$? in \
	0) $(SUDO) $(PYTHON) -m local down ;; \
	3) echo "Nothing to do: no Docker engine is installed here." ;; \
	*) exit 1 ;; esac

##@ Deployments, here and on AWS

cloud: setup ## start the local cloud alone, for the pulumi CLI with the stack local
	@scripts/engine.sh
	@scripts/port.sh
	@$(SUDO) $(PYTHON) -m local start

reviewer: setup ## print how the reviewer signs in, after make up CONFIG="reviewer=user"
	@$(SUDO) $(PYTHON) -m local reviewer

cost: setup ## price an hour and a month; REGION=, HOSTS=, CONFIG=
	@$(PYTHON) -m ops.cost --config "$$CONFIG" $${REGION:+--region "$$REGION"} $${HOSTS:+--hosts "$$HOSTS"}

reach: setup ## fail unless the Internet reaches port 80 alone; here or STACK=prod
	@$(LOCAL_SUDO) $(PYTHON) -m ops.reach

drift: setup ## compare what is deployed with this clone, here or STACK=prod
	@$(LOCAL_SUDO) $(PYTHON) -m ops.drift

leftovers: setup ## list what is left, and fail if anything is; here or STACK=prod
	@$(LOCAL_SUDO) $(PYTHON) -m ops.leftovers

preflight: setup ## ask AWS what would make a deployment fail: STACK=prod
	@$(PYTHON) -m ops.preflight

repair: setup ## bring Pulumi's state in line after an interrupted update: STACK=prod
	@$(PYTHON) -m ops.repair

# Pulumi asks before it deletes anything.
destroy: setup ## remove a deployment from AWS: STACK=prod
	@$(PYTHON) -m ops.destroy

##@ Tests, one kind at a time

lint: setup ## run ruff, mypy, cfn-lint, shellcheck, check-jsonschema, zizmor, node
	@scripts/tools.sh node
	@scripts/lint.sh

scan: setup ## find weak templates, secrets, vulnerable packages, packages behind Debian
	@scripts/scan.sh

# One process more than there are cores, because many tests wait.
PYTEST := PYTHONPYCACHEPREFIX="$(CURDIR)/build/pycache" \
	$(PYTHON) -m pytest -q --numprocesses $$(($$(nproc) + 1)) --maxprocesses 5
unit: setup ## test functions, templates, the Pulumi program
	@scripts/tools.sh unit
	@$(PYTEST) --dist worksteal -m 'not integration and not rehearsal'

# Each process runs whole files, because the tests of a file share what it deploys.
integration: setup ## test gunicorn, HAProxy, the page in Chromium, permissions, scanners
	@scripts/tools.sh unit chromium scanners evaluator qemu-user-static
	@$(PYTEST) --dist loadfile -m 'integration and not rehearsal'

# The rehearsal and the drills deploy copies of this clone, which take these builds from here. The
# rehearsal keeps no cache, because that would belong to root. It mostly waits, so its groups run
# side by side.
BUILD_ALL := scripts/engine.sh && scripts/build.sh
rehearsal: setup ## deploy, use, release, break and remove it, beside what is up
	@$(BUILD_ALL)
	@scripts/tools.sh chromium
	@$(SUDO) $(PYTHON) -m pytest -q -p no:cacheprovider --numprocesses 4 tests/rehearsal

drill: setup ## break it in every way that it must survive; make drill DRILL: in one way
	@$(PYTHON) -m drills --check $$DRILLS
	@$(BUILD_ALL)
	@$(SUDO) $(PYTHON) -m drills $$DRILLS

mutation: setup ## count the faults that the tests notice (hours)
	@scripts/mutation.sh

bench: setup ## measure speed, and the healthcheck's accuracy and coverage (30 minutes)
	@scripts/engine.sh
	@scripts/image.sh
	@scripts/tools.sh wrk nginx
	@$(SUDO) $(PYTHON) -m bench

##@ Building

setup: ## install the Python packages, hash-checked, in .venv
	@scripts/setup.sh

run: setup ## run the service alone on http://127.0.0.1:8000 (or PORT=), without Docker
	@TIMESERVICE_WORKERS=1 TIMESERVICE_BIND="127.0.0.1:$${PORT:-8000}" \
		TIMESERVICE_TIME_SERVER="$${TIMESERVICE_TIME_SERVER:-time.aws.com}" \
		$(PYTHON) -m gunicorn --config service/gunicorn.conf.py

# With CONFIG or STACK, the image is for the instanceType there, else for the engine's architecture.
image: setup ## make the image's archive from Debian's newest packages; CONFIG=, STACK=
	@scripts/engine.sh
	@architecture=$(if $(CONFIG)$(STACK),$$($(PYTHON) -m local architecture)) && \
		scripts/base.sh --renew $$architecture && scripts/image.sh $$architecture

package: setup ## make build/healthcheck.zip, the Lambda function's package
	@scripts/package.sh

lock: setup ## renew the locks of all packages
	@scripts/lock.sh

endif # of what the toolbox runs

clean: ## remove what was built in this clone; some of it may belong to root
	@images=$$(docker image ls --quiet --filter label=timeservice.toolbox 2>/dev/null) && \
		docker image rm $$images >/dev/null 2>&1 || :
	@rm -rf build .venv .hypothesis .*_cache 2>/dev/null || sudo rm -rf build .venv .hypothesis .*_cache

help: ## print this list
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
