// Structs, recursion, options: renders spheres over a checkered plane without writing the picture.
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    double x, y, z;
} V;

static V add(V a, V b) { return (V){a.x + b.x, a.y + b.y, a.z + b.z}; }
static V sub(V a, V b) { return (V){a.x - b.x, a.y - b.y, a.z - b.z}; }
static V scale(V a, double k) { return (V){a.x * k, a.y * k, a.z * k}; }
static double dot(V a, V b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static V cross(V a, V b) { return (V){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; }
static double length(V a) { return sqrt(dot(a, a)); }
static V unit(V a) { return scale(a, 1.0 / length(a)); }
// A direction after a bounce off a surface with the normal n.
static V mirrored(V a, V n) { return sub(a, scale(n, 2.0 * dot(a, n))); }

typedef struct {
    V origin, direction;
} Ray;

static V at(Ray ray, double t) { return add(ray.origin, scale(ray.direction, t)); }

typedef struct {
    V color;
    double shine, mirror;
} Material;

typedef struct {
    V center;
    double radius;
    Material material;
} Sphere;

typedef struct {
    double distance;
    V point, normal;
    Material material;
} Hit;

#define EPSILON 1.0e-6
#define MAX_DEPTH 5
#define SPHERES 15

static long width, height;
static V position, forward, right, up, light;
static Sphere spheres[SPHERES];

// The distance along the ray to the nearest point of the sphere in front of its origin.
static bool hit(const Sphere *s, Ray ray, double *t) {
    V oc = sub(ray.origin, s->center);
    double b = dot(oc, ray.direction), d = b * b - dot(oc, oc) + s->radius * s->radius;
    if (d < 0.0)
        return false;
    double root = sqrt(d);
    if (-b - root > EPSILON) {
        *t = -b - root;
        return true;
    }
    if (-b + root > EPSILON) {
        *t = -b + root;
        return true;
    }
    return false;
}

static void make_scene(void) {
    position = (V){0.0, 2.6, 7.0};
    forward = unit(sub((V){0.0, 0.6, 0.0}, position));
    right = unit(cross(forward, (V){0.0, 1.0, 0.0}));
    up = cross(right, forward);
    light = (V){5.0, 8.0, 6.0};
    spheres[0] = (Sphere){{0.0, 1.0, 0.0}, 1.0, {{0.9, 0.3, 0.2}, 60.0, 0.25}};
    spheres[1] = (Sphere){{-2.1, 0.8, 0.6}, 0.8, {{0.2, 0.5, 0.9}, 80.0, 0.3}};
    spheres[2] = (Sphere){{1.9, 0.7, 0.9}, 0.7, {{0.9, 0.9, 0.9}, 200.0, 0.8}};
    // A ring of small ones around them.
    for (long k = 0; k < 12; k++) {
        double angle = k * 0.5235987755982988;
        V tint = {0.5 + 0.5 * cos(angle), 0.6, 0.5 + 0.5 * sin(angle)};
        spheres[3 + k] = (Sphere){{3.4 * cos(angle), 0.3, 3.4 * sin(angle)}, 0.3, {tint, 40.0, 0.15}};
    }
}

static bool nearest(Ray ray, Hit *best) {
    bool found = false;
    double limit = 1.0e30, t;
    for (long i = 0; i < SPHERES; i++)
        if (hit(&spheres[i], ray, &t) && t < limit) {
            V p = at(ray, t);
            *best = (Hit){t, p, scale(sub(p, spheres[i].center), 1.0 / spheres[i].radius), spheres[i].material};
            limit = t;
            found = true;
        }
    // The plane y = 0.
    if (ray.direction.y < 0.0) {
        t = -ray.origin.y / ray.direction.y;
        if (t > EPSILON && t < limit) {
            V p = at(ray, t);
            long dark = ((long)floor(p.x) + (long)floor(p.z)) & 1;
            double tone = dark == 1 ? 0.35 : 0.85;
            *best = (Hit){t, p, {0.0, 1.0, 0.0}, {{tone, tone, tone}, 10.0, 0.1}};
            found = true;
        }
    }
    return found;
}

static bool in_shadow(V point) {
    V way = sub(light, point);
    double distance = length(way), t;
    Ray ray = {point, scale(way, 1.0 / distance)};
    for (long i = 0; i < SPHERES; i++)
        if (hit(&spheres[i], ray, &t) && t < distance)
            return true;
    return false;
}

static V sky(V direction) {
    double t = 0.5 * (direction.y + 1.0);
    return add(scale((V){1.0, 1.0, 1.0}, 1.0 - t), scale((V){0.4, 0.6, 1.0}, t));
}

static V shade(Ray ray, Hit hit) {
    Material material = hit.material;
    V ambient = scale(material.color, 0.15);
    if (in_shadow(add(hit.point, scale(hit.normal, EPSILON))))
        return ambient;
    V to_light = unit(sub(light, hit.point));
    double diffuse = fmax(0.0, dot(hit.normal, to_light));
    double glance = fmax(0.0, dot(mirrored(ray.direction, hit.normal), to_light));
    double highlight = pow(glance, material.shine) * 0.6;
    V lit = add(ambient, scale(material.color, diffuse * 0.85));
    return add(lit, (V){highlight, highlight, highlight});
}

static V trace(Ray ray, long depth) {
    Hit hit;
    if (!nearest(ray, &hit))
        return sky(ray.direction);
    V color = shade(ray, hit);
    double mirror = hit.material.mirror;
    if (depth >= MAX_DEPTH || mirror <= 0.0)
        return color;
    Ray bounced = {add(hit.point, scale(hit.normal, EPSILON)), mirrored(ray.direction, hit.normal)};
    return add(scale(color, 1.0 - mirror), scale(trace(bounced, depth + 1), mirror));
}

typedef struct {
    float r, g, b;
} Pixel;

// The colour of pixel i, counted row by row from the upper left.
static Pixel raytrace(long i) {
    long column = i % width, row = i / width;
    double x = (2.0 * column - width) / height, y = (height - 2.0 * row) / height;
    V direction = unit(add(add(scale(forward, 1.9), scale(right, x)), scale(up, y)));
    V color = trace((Ray){position, direction}, 0);
    // The square root brings linear light close to what a screen expects.
    return (Pixel){sqrt(color.x), sqrt(color.y), sqrt(color.z)};
}

int main(int count, char **words) {
    width = count > 1 ? atol(words[1]) : 160;
    height = count > 2 ? atol(words[2]) : 120;
    make_scene();
    long n = width * height;
    Pixel *pixels = malloc(n * sizeof *pixels);
#pragma omp parallel for schedule(dynamic, 64)
    for (long i = 0; i < n; i++)
        pixels[i] = raytrace(i);
    double r = 0, g = 0, b = 0;
    for (long i = 0; i < n; i++) {
        r += pixels[i].r;
        g += pixels[i].g;
        b += pixels[i].b;
    }
    printf("%.2f %.2f %.2f\n", r, g, b);
}
