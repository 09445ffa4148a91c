// The Sun and the four large planets, moved by a symplectic integrator; prints the energy before and after.
// Nothing here is parallel: five bodies are too few, and each step depends on the one before.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SOLAR_MASS (4.0 * M_PI * M_PI)
#define DAYS_PER_YEAR 365.24
#define N 5

struct body {
    double x, y, z, vx, vy, vz, mass;
};

// A body from its position, its velocity per day and its mass in those of the Sun.
#define PLANET(x, y, z, vx, vy, vz, mass) \
    { x, y, z, (vx) * DAYS_PER_YEAR, (vy) * DAYS_PER_YEAR, (vz) * DAYS_PER_YEAR, (mass) * SOLAR_MASS }

static struct body bodies[N] = {
    PLANET(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    PLANET(4.84143144246472090e+00, -1.16032004402742839e+00, -1.03622044471123109e-01,
           1.66007664274403694e-03, 7.69901118419740425e-03, -6.90460016972063023e-05, 9.54791938424326609e-04),
    PLANET(8.34336671824457987e+00, 4.12479856412430479e+00, -4.03523417114321381e-01,
           -2.76742510726411045e-03, 4.99852801234917238e-03, 2.30417297573763929e-05, 2.85885980666130812e-04),
    PLANET(1.28943695621391310e+01, -1.51111514016986312e+01, -2.23307578892655734e-01,
           2.96460137564761618e-03, 2.37847173959480950e-03, -2.96589568540237556e-05, 4.36624404335156298e-05),
    PLANET(1.53796971148509165e+01, -2.59193146099879641e+01, 1.79258772950371181e-01,
           2.68067772490389322e-03, 1.62824170038242295e-03, -9.51592254519715870e-05, 5.15138902046611451e-05),
};

// Gives the Sun the velocity that brings the whole to rest.
static void rest(void) {
    double px = 0, py = 0, pz = 0;
    for (long i = 0; i < N; i++) {
        px += bodies[i].vx * bodies[i].mass;
        py += bodies[i].vy * bodies[i].mass;
        pz += bodies[i].vz * bodies[i].mass;
    }
    bodies[0].vx = -px / SOLAR_MASS;
    bodies[0].vy = -py / SOLAR_MASS;
    bodies[0].vz = -pz / SOLAR_MASS;
}

static void advance(double dt, long n) {
    for (long i = 0; i < n; i++)
        for (long j = i + 1; j < n; j++) {
            double dx = bodies[i].x - bodies[j].x;
            double dy = bodies[i].y - bodies[j].y;
            double dz = bodies[i].z - bodies[j].z;
            double distance2 = dx * dx + dy * dy + dz * dz;
            double magnitude = dt / (distance2 * sqrt(distance2));
            double mi = bodies[i].mass * magnitude, mj = bodies[j].mass * magnitude;
            bodies[i].vx -= dx * mj;
            bodies[i].vy -= dy * mj;
            bodies[i].vz -= dz * mj;
            bodies[j].vx += dx * mi;
            bodies[j].vy += dy * mi;
            bodies[j].vz += dz * mi;
        }
    for (long i = 0; i < n; i++) {
        bodies[i].x += dt * bodies[i].vx;
        bodies[i].y += dt * bodies[i].vy;
        bodies[i].z += dt * bodies[i].vz;
    }
}

static double energy(void) {
    double sum = 0;
    for (long i = 0; i < N; i++) {
        struct body b = bodies[i];
        sum += 0.5 * b.mass * (b.vx * b.vx + b.vy * b.vy + b.vz * b.vz);
        for (long j = i + 1; j < N; j++) {
            struct body o = bodies[j];
            double dx = b.x - o.x, dy = b.y - o.y, dz = b.z - o.z;
            sum -= b.mass * o.mass / sqrt(dx * dx + dy * dy + dz * dz);
        }
    }
    return sum;
}

int main(int count, char **words) {
    long steps = count > 1 ? atol(words[1]) : 200000;
    rest();
    printf("%.9f\n", energy());
    for (long i = 0; i < steps; i++)
        advance(0.01, N);
    printf("%.9f\n", energy());
}
